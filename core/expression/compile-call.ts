/** Calls of functions and methods: what they may be given is checked here, once. */
import type { CallExpression, Expression, Node } from "acorn";
import type { Callback, FunctionEntry, MethodEntry, Signature } from "./callable.ts";
import type { Compiler, Evaluate } from "./compile.ts";
import { fail } from "./expression-error.ts";
import { FUNCTIONS } from "./functions.ts";
import { METHODS } from "./methods.ts";
import type { RecordScope } from "./record-scope.ts";
import { kindOf, nameOf, toText } from "./values.ts";

/** Functions that may stand where an arrow does: `filter(Boolean)`. */
const AS_ARROWS: ReadonlySet<string> = new Set(["Boolean", "Number", "String"]);

/** Arguments, and the arrow before them. */
interface CompiledArguments {
  readonly callback: Callback | null;
  readonly evaluate: (scope: RecordScope) => unknown[];
}

const NO_ARGUMENTS: unknown[] = [];

/** Compiles the call of a function of the table. Throws `Fault`. */
export function compileCall(
  compiler: Compiler,
  known: FunctionEntry,
  name: string,
  node: CallExpression,
): Evaluate {
  const { evaluate } = compileArguments(compiler, known, name, node);
  const { run } = known;
  return (scope) => run({ scope, span: node, args: evaluate(scope), callback: null });
}

/** Compiles the call of a method. Throws `Fault`. */
export function compileMethodCall(
  compiler: Compiler,
  object: Expression,
  name: string,
  node: CallExpression,
  ofHeaders: boolean,
): Evaluate {
  if (ofHeaders && name === "all") return headersNamed(compiler, node);
  const entry = METHODS.get(name) ??
    fail(compiler.unknown("method", name, METHODS.keys()), node.callee);
  const self = compiler.expression(object);
  const { callback, evaluate } = compileArguments(compiler, entry, name, node);
  return (scope) => {
    const value = self(scope);
    // As everywhere, what is missing has no properties and no results.
    if (value === undefined || value === null) return undefined;
    const method = methodOf(entry, value);
    if (method === null) return fail(`${nameOf(value)} has no method "${name}"`, node);
    return method(value, { scope, span: node, args: evaluate(scope), callback });
  };
}

type AnyMethod = (self: unknown, call: Parameters<FunctionEntry["run"]>[0]) => unknown;

/** The method for this kind of value: the table holds it under the kind that `self` has. */
function methodOf(entry: MethodEntry, value: unknown): AnyMethod | null {
  const method: unknown = entry.of[kindOf(value)];
  return typeof method === "function" ? method as AnyMethod : null;
}

/** `headers.all("name")`. */
function headersNamed(compiler: Compiler, node: CallExpression): Evaluate {
  compiler.uses.add("headers");
  const { evaluate } = compileArguments(
    compiler,
    { argsMin: 1, argsMax: 1, arrow: "never" },
    "all",
    node,
  );
  return (scope) => scope.headersNamed(toText(evaluate(scope)[0], scope.budget, node));
}

function compileArguments(
  compiler: Compiler,
  signature: Signature,
  name: string,
  node: CallExpression,
): CompiledArguments {
  const [first] = node.arguments;
  const callback = signature.arrow === "never" || first === undefined
    ? null
    : callbackOf(compiler, first);
  if (callback === null && signature.arrow === "must") {
    fail(`${name} takes an arrow: write ${name}(x => …)`, node);
  }
  const rest = callback === null ? node.arguments : node.arguments.slice(1);
  const spread = rest.some((argument) => argument.type === "SpreadElement");
  if (!spread && (rest.length < signature.argsMin || rest.length > signature.argsMax)) {
    fail(`${name} takes ${range(signature)}`, node);
  }
  const append = compiler.elements(rest);
  if (rest.length === 0) return { callback, evaluate: () => NO_ARGUMENTS };
  return {
    callback,
    evaluate: (scope) => {
      const args: unknown[] = [];
      append(scope, args);
      return args;
    },
  };
}

function range({ argsMin, argsMax, arrow }: Signature): string {
  const behind = arrow === "never" ? "" : " behind its arrow";
  const plural = argsMax === 1 ? "" : "s";
  if (argsMax === 0) return arrow === "never" ? "no argument" : "nothing behind its arrow";
  if (argsMin === argsMax) return `${argsMin} argument${plural}${behind}`;
  if (argsMax === Infinity) return `${argsMin} arguments or more${behind}`;
  return `${argsMin} to ${argsMax} arguments${behind}`;
}

/** The node as an arrow, or null if it is none. */
function callbackOf(compiler: Compiler, node: Node): Callback | null {
  if (node.type === "ArrowFunctionExpression") {
    return compiler.arrow(node as Parameters<Compiler["arrow"]>[0]);
  }
  if (node.type !== "Identifier" || !("name" in node)) return null;
  const name = String(node.name);
  const known = AS_ARROWS.has(name) ? FUNCTIONS.get(name) : undefined;
  if (known === undefined) return null;
  return (scope, value) => {
    scope.budget.spend(2, node);
    return known.run({ scope, span: node, args: [value], callback: null });
  };
}
