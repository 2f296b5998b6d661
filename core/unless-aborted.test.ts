import { expect, test } from "bun:test";
import { deferred } from "./deferred.ts";
import { nullIfAborted, rejectIfAborted } from "./unless-aborted.ts";

/** A signal that counts who listens. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  return { controller, signal, listeners: () => listeners };
}

test("work that ends in time is the result, and leaves no listener behind", async () => {
  for (const unlessAborted of [nullIfAborted, rejectIfAborted]) {
    const { signal, listeners } = countedSignal();
    const { promise, resolve } = deferred<number>();
    const waiting = unlessAborted(promise, signal);
    expect(listeners()).toBe(1);
    resolve(7);
    expect(await waiting).toBe(7);
    expect(listeners()).toBe(0);
    const failure = new Error("it failed");
    expect(await unlessAborted(Promise.reject(failure), signal).catch((e: unknown) => e))
      .toBe(failure);
    expect(listeners()).toBe(0);
  }
});

test("an abort ends the waiting, whatever the work comes to later", async () => {
  const { controller, signal } = countedSignal();
  const works = [deferred<number>(), deferred<number>(), deferred<number>()];
  const [first, second, third] = works;
  const nothing = nullIfAborted(first!.promise, signal);
  const own = rejectIfAborted(second!.promise, signal);
  const given = rejectIfAborted(third!.promise, signal, () => "given");
  controller.abort("the signal's");
  expect(await nothing).toBeNull();
  expect(await own.catch((reason: unknown) => reason)).toBe("the signal's");
  expect(await given.catch((reason: unknown) => reason)).toBe("given");
  // Nobody is left to hear of it, and it is no unhandled rejection.
  for (const { reject } of works) reject(new Error("too late"));
});

test("with an aborted signal nothing is waited for, not even what is there", async () => {
  const signal = AbortSignal.abort("gone");
  expect(await nullIfAborted(Promise.resolve(7), signal)).toBeNull();
  expect(await nullIfAborted(Promise.reject(new Error("dropped")), signal)).toBeNull();
  expect(await rejectIfAborted(Promise.resolve(7), signal).catch((reason: unknown) => reason))
    .toBe("gone");
});
