import { afterEach, expect, test } from "bun:test";
import { bunClock } from "../../core/io/bun/clock.ts";
import type { LiveApplication } from "../../core/streams/live-application.ts";
import { MemberAsker } from "./ask-member.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const LIVE: LiveApplication = {
  application: "shop",
  topology: {
    ...{ format: "kstream-topology-1", subtopologies: [], stores: [], repartitionTopics: [] },
  },
  ...{ taskCounts: {}, nodes: {}, members: [], missing: [] },
};

function member(answer: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  closers.push(() => server.stop(true));
  return new URL(server.url).origin;
}

const asker = () => new MemberAsker(bunClock, fetch, "the token of this test");
const ask = (origin: string, isNamed = true, name = "shop") =>
  asker().ask({ origin, isNamed }, name);

test("one path is asked, and only hosts that are named are told the token", async () => {
  const asked: [string, string, string | null][] = [];
  const origin = member((request) => {
    const { pathname, search } = new URL(request.url);
    asked.push([request.method, pathname + search, request.headers.get("authorization")]);
    return Response.json(LIVE);
  });
  expect(await ask(origin)).toEqual({ live: LIVE });
  expect(await ask(origin, false)).toEqual({ live: LIVE });
  expect(asked).toEqual([
    ["GET", "/topology", "Bearer the token of this test"],
    ["GET", "/topology", null],
  ]);
});

test("nothing is passed on but what a member of that application says", async () => {
  let isFollowed = false;
  const elsewhere = member(() => {
    isFollowed = true;
    return Response.json(LIVE);
  });
  const something = { why: "something else" } as const;
  expect(await ask(member(() => Response.redirect(elsewhere)))).toEqual(something);
  expect(isFollowed).toBe(false);
  expect(await ask(member(() => Response.json(LIVE)), true, "other")).toEqual(something);
  expect(await ask(member(() => new Response("secrets of another")))).toEqual(something);
  expect(await ask(member(() => Response.json({ ...LIVE, nodes: { a: 1 } })))).toEqual(
    something,
  );
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
  });
  expect(await ask(member(() => new Response(endless)))).toEqual(something);
  expect(await ask(member(() => new Response("", { status: 401 })))).toEqual(
    { why: "token" },
  );
  expect(await ask("http://127.0.0.1:9")).toEqual({ why: "no answer" });
});

test("who asks the same meanwhile is told the same", async () => {
  let times = 0;
  const asked = Promise.withResolvers<void>();
  const origin = member(async () => {
    times++;
    await asked.promise;
    return Response.json(LIVE);
  });
  const one = asker();
  const answers = [1, 2, 3].map(() => one.ask({ origin, isNamed: false }, "shop"));
  asked.resolve();
  expect(await Promise.all(answers)).toEqual([{ live: LIVE }, { live: LIVE }, { live: LIVE }]);
  expect(times).toBe(1);
});
