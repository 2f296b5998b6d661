/** What stands around a connector: types for editors, how its test is run, what to do with it. */
import { packageFiles } from "../../new-folder.ts";

/** By name of the file. */
export function projectFiles(
  name: string,
  kind: "source" | "sink",
  version: string,
): Readonly<Record<string, string>> {
  return {
    ...packageFiles({
      name: `kstream-connect-${name}`,
      // What makes a package of npm a connector.
      kstream: { connector: `./${name}.ts` },
      scripts: { test: "bun test" },
    }, version),
    "README.md": readme(name, kind),
  };
}

function readme(name: string, kind: "source" | "sink"): string {
  const first = kind === "source"
    ? "shows what it reads first"
    : "shows what it would get of its topics";
  return `# ${name}

A ${kind} for kstream connect. Nothing has to be built or installed to run it:

    kstream connect validate ${name}.yaml --plugins .
    kstream connect test ${name}.yaml --plugins .    # ${first}, writes nothing
    kstream connect run ${name}.yaml --plugins .     # until Ctrl-C

A worker has it with \`kstream connect worker --group NAME --plugins .\`, a broker with
\`kstream serve --connect --connect-plugins .\`. Each of its tasks is a process of its own.

Types for your editor, and the test, which needs no broker (\`deno test -A\` and \`node --test\` of
Node 24 run it as well):

    npm install
    bun test
`;
}
