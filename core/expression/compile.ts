/**
 * The tree of an expression to closures. What is not on the list below does not compile; what names
 * mean is settled here, so at run time no name is looked up but those of properties.
 */
import type {
  ArrowFunctionExpression,
  CallExpression,
  Expression,
  Literal,
  MemberExpression,
  Node,
  ObjectExpression,
  Pattern,
  Property,
  SpreadElement,
  TemplateLiteral,
} from "acorn";
import { didYouMean } from "../did-you-mean.ts";
import { ELEMENT_UNITS } from "./budget.ts";
import type { Callback, MethodEntry, Signature } from "./callable.ts";
import { compileCall, compileMethodCall } from "./compile-call.ts";
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";
import { CONSTANTS, FUNCTIONS, NAMESPACES } from "./functions.ts";
import { BINARY_OPERATORS, UNARY_OPERATORS } from "./operators.ts";
import type { RecordScope } from "./record-scope.ts";
import { RECORD_NAMES } from "./record-names.ts";
import { RegexValue } from "./regex-value.ts";
import { elementOf, emptyObject, isPlainObject, nameFrom, propertyOf, toText } from "./values.ts";

/** A part of an expression, compiled. */
export type Evaluate = (scope: RecordScope) => unknown;
/** Adds elements to a list: one, or those of a spread. */
type Append = (scope: RecordScope, list: unknown[]) => void;
/** Puts what an arrow gets into its variables. */
type Bind = (scope: RecordScope, value: unknown) => void;

/** Deeper trees are refused, so that running one cannot exhaust the stack. */
const DEPTH_MAX = 400;

/** Why something of JavaScript is none of an expression. */
const REFUSED: Readonly<Record<string, string>> = {
  AssignmentExpression: "nothing can be assigned: use === to compare",
  AwaitExpression: "an expression cannot wait",
  ClassExpression: "there are no classes",
  FunctionExpression: "there are no functions but x => …, as arguments of methods such as map",
  ImportExpression: "nothing can be imported",
  MetaProperty: "there is no such thing here",
  NewExpression: "there is no new",
  SequenceExpression: "an expression is one value: there is no comma",
  Super: "there is no super",
  TaggedTemplateExpression: "templates have no tags",
  ThisExpression: "there is no this: use value, key, headers, topic, partition, offset, timestamp",
  UpdateExpression: "nothing can be changed",
  YieldExpression: "there is no yield",
};

/** Compiles one tree. Its methods throw `Fault`. */
export class Compiler {
  /** Parts of the record that the expression looks at. */
  readonly uses = new Set<string>();
  /** Variables in sight, innermost last. */
  readonly #variables: { readonly name: string; readonly slot: number }[] = [];
  #slots = 0;
  #depth = 0;
  #nodes = 0;

  /** Any expression. */
  expression(node: Expression | SpreadElement | Node): Evaluate {
    this.#nodes++;
    if (++this.#depth > DEPTH_MAX) fail("the expression is nested too deeply", node);
    const compiled = this.#node(node as Expression);
    this.#depth--;
    return compiled;
  }

  #node(node: Expression): Evaluate {
    switch (node.type) {
      case "Literal":
        return this.#literal(node);
      case "TemplateLiteral":
        return this.#template(node);
      case "Identifier":
        return this.#identifier(node.name, node);
      case "ArrayExpression": {
        const append = this.elements(node.elements);
        return (scope) => {
          const list: unknown[] = [];
          append(scope, list);
          return list;
        };
      }
      case "ObjectExpression":
        return this.#object(node);
      case "MemberExpression":
        return this.#member(node);
      case "ChainExpression":
      case "ParenthesizedExpression":
        return this.expression(node.expression);
      case "CallExpression":
        return this.#call(node);
      case "UnaryExpression": {
        const operator = UNARY_OPERATORS.get(node.operator) ??
          fail(`there is no ${node.operator} in expressions`, node);
        const operand = this.expression(node.argument);
        return (scope) => operator(operand(scope), scope.budget, node);
      }
      case "BinaryExpression": {
        const operator = BINARY_OPERATORS.get(node.operator) ??
          fail(`there is no ${node.operator} in expressions`, node);
        const left = this.expression(node.left);
        const right = this.expression(node.right);
        return (scope) => operator(left(scope), right(scope), scope.budget, node);
      }
      case "LogicalExpression":
        return this.#logical(node.operator, node.left, node.right);
      case "ConditionalExpression": {
        const test = this.expression(node.test);
        const yes = this.expression(node.consequent);
        const no = this.expression(node.alternate);
        return (scope) => test(scope) ? yes(scope) : no(scope);
      }
      case "ArrowFunctionExpression":
        return fail("an arrow stands only as the first argument of map, filter and the like", node);
      default:
        return fail(REFUSED[node.type] ?? "this is none of an expression", node);
    }
  }

  #literal(node: Literal): Evaluate {
    if (node.regex) {
      const regex = new RegexValue(node.regex.pattern, node.regex.flags, node);
      return () => regex;
    }
    const { value } = node;
    return () => value;
  }

  #template(node: TemplateLiteral): Evaluate {
    const texts = node.quasis.map((quasi) => quasi.value.cooked ?? "");
    const parts = node.expressions.map((part) => this.expression(part));
    return (scope) => {
      let result = texts[0] ?? "";
      for (let i = 0; i < parts.length; i++) {
        result += toText(parts[i]!(scope), scope.budget, node) + texts[i + 1]!;
        scope.budget.take(result.length, node);
      }
      return result;
    };
  }

  #logical(operator: "||" | "&&" | "??", leftNode: Expression, rightNode: Expression): Evaluate {
    const left = this.expression(leftNode);
    const right = this.expression(rightNode);
    switch (operator) {
      case "&&":
        return (scope) => left(scope) && right(scope);
      case "||":
        return (scope) => left(scope) || right(scope);
      case "??":
        return (scope) => left(scope) ?? right(scope);
    }
  }

  #identifier(name: string, span: Span): Evaluate {
    const variable = this.#variables.findLast((known) => known.name === name);
    if (variable !== undefined) {
      const { slot } = variable;
      return (scope) => scope.slots[slot];
    }
    const part = RECORD_NAMES.get(name);
    if (part !== undefined) {
      this.uses.add(part.name);
      return part.read;
    }
    if (CONSTANTS.has(name)) {
      const constant = CONSTANTS.get(name);
      return () => constant;
    }
    if (FUNCTIONS.has(name)) fail(`${name} is a function: call it`, span);
    return fail(this.unknown("name", name, this.#namesInSight()), span);
  }

  #namesInSight(): string[] {
    const variables = this.#variables.map((variable) => variable.name);
    return [...variables, ...RECORD_NAMES.keys(), ...CONSTANTS.keys(), ...NAMESPACES];
  }

  /** The message about a name that nothing has. */
  unknown(what: string, name: string, known: Iterable<string>): string {
    const near = didYouMean(name, known);
    return `unknown ${what} "${name}"` + (near === null ? "" : `: did you mean "${near}"?`);
  }

  /** `Math` of `Math.max`, unless something else has that name; else null. */
  #namespaceOf(node: MemberExpression): string | null {
    if (node.computed || node.object.type !== "Identifier") return null;
    const { name } = node.object;
    if (this.#variables.some((variable) => variable.name === name)) return null;
    return NAMESPACES.has(name) ? name : null;
  }

  /** Whether the node is the record's headers. */
  #isHeaders(node: Node): boolean {
    if (node.type !== "Identifier" || !("name" in node)) return false;
    const { name } = node;
    if (this.#variables.some((variable) => variable.name === name)) return false;
    return typeof name === "string" && RECORD_NAMES.get(name)?.name === "headers";
  }

  #member(node: MemberExpression): Evaluate {
    const { property } = node;
    const namespace = this.#namespaceOf(node);
    if (namespace !== null && property.type === "Identifier") {
      const name = `${namespace}.${property.name}`;
      const constant = CONSTANTS.get(name);
      if (constant !== undefined) return () => constant;
      const names = [...CONSTANTS.keys(), ...FUNCTIONS.keys()];
      fail(
        FUNCTIONS.has(name) ? `${name} is a function: call it` : this.unknown("name", name, names),
        node,
      );
    }
    if (node.computed) {
      const object = this.expression(node.object);
      const key = this.expression(property);
      return (scope) => elementOf(object(scope), key(scope), node);
    }
    if (property.type !== "Identifier") return fail("there are no private names", property);
    const { name } = property;
    if (this.#isHeaders(node.object)) {
      this.uses.add("headers");
      return (scope) => scope.header(name);
    }
    const object = this.expression(node.object);
    return (scope) => propertyOf(object(scope), name);
  }

  #object(node: ObjectExpression): Evaluate {
    const parts = node.properties.map((property) =>
      property.type === "SpreadElement"
        ? this.#spreadProperties(property)
        : this.#property(property)
    );
    return (scope) => {
      const object = emptyObject();
      for (const part of parts) part(scope, object);
      return object;
    };
  }

  #property(node: Property): (scope: RecordScope, object: Record<string, unknown>) => void {
    if (node.kind !== "init" || node.method) fail("an object has no methods here", node);
    const { key } = node;
    const value = this.expression(node.value);
    const name = node.computed
      ? this.expression(key)
      : key.type === "Identifier"
      ? () => key.name
      : this.expression(key);
    return (scope, object) => {
      const text = nameFrom(name(scope), node);
      scope.budget.take(ELEMENT_UNITS * 2, node);
      object[text] = value(scope);
    };
  }

  /** `...x` in an object: the own properties of objects and elements of arrays, else nothing. */
  #spreadProperties(
    node: SpreadElement,
  ): (scope: RecordScope, object: Record<string, unknown>) => void {
    const argument = this.expression(node.argument);
    return (scope, object) => {
      const value = argument(scope);
      if (!isPlainObject(value) && !Array.isArray(value)) return;
      const names = Object.keys(value);
      scope.budget.take(names.length * ELEMENT_UNITS * 2, node);
      for (const name of names) object[name] = elementOf(value, name, node);
    };
  }

  /** Elements of an array or arguments of a call, with what is spread. */
  elements(nodes: readonly (Expression | SpreadElement | null)[]): Append {
    const appends = nodes.map((node): Append => {
      if (node === null) return fail("an array without gaps is meant: write undefined", nodes[0]!);
      if (node.type === "SpreadElement") return this.#spreadElements(node);
      const value = this.expression(node);
      return (scope, list) => {
        scope.budget.take(ELEMENT_UNITS, node);
        list.push(value(scope));
      };
    });
    return (scope, list) => {
      for (const append of appends) append(scope, list);
    };
  }

  #spreadElements(node: SpreadElement): Append {
    const argument = this.expression(node.argument);
    return (scope, list) => {
      const value = argument(scope);
      if (value === null || value === undefined) return;
      if (typeof value !== "string" && !Array.isArray(value)) {
        fail("only arrays and strings are spread here", node);
      }
      scope.budget.take(value.length * ELEMENT_UNITS, node);
      scope.budget.spend(value.length, node);
      for (const element of value) list.push(element);
    };
  }

  #call(node: CallExpression): Evaluate {
    const { callee } = node;
    if (callee.type === "Identifier") {
      return this.#functionCall(callee.name, callee, node);
    }
    if (callee.type !== "MemberExpression" || callee.computed) {
      return fail("only the functions and methods of the list can be called", callee);
    }
    if (callee.property.type !== "Identifier") return fail("there are no private names", callee);
    const { name } = callee.property;
    const namespace = this.#namespaceOf(callee);
    if (namespace !== null) return this.#functionCall(`${namespace}.${name}`, callee, node);
    if (callee.object.type === "Super") return fail("there is no super", callee);
    return compileMethodCall(this, callee.object, name, node, this.#isHeaders(callee.object));
  }

  #functionCall(name: string, callee: Node, node: CallExpression): Evaluate {
    const known = FUNCTIONS.get(name);
    if (known !== undefined && !this.#variables.some((variable) => variable.name === name)) {
      return compileCall(this, known, name, node);
    }
    return fail(this.unknown("function", name, FUNCTIONS.keys()), callee);
  }

  /** An arrow: what runs for each element. Its cost is charged at each call. */
  arrow(node: ArrowFunctionExpression): Callback {
    if (node.async) fail("an arrow cannot be async", node);
    const { body } = node;
    if (body.type === "BlockStatement") fail("an arrow has no block: write x => value", body);
    if (node.params.length > 3) fail("an arrow gets three values at most", node);
    const inSight = this.#variables.length;
    const binds = node.params.map((param) => this.#pattern(param));
    const before = this.#nodes;
    const run = this.expression(body);
    const cost = this.#nodes - before + 1;
    this.#variables.length = inSight;
    return (scope, a, b, c) => {
      scope.budget.spend(cost, node);
      binds[0]?.(scope, a);
      binds[1]?.(scope, b);
      binds[2]?.(scope, c);
      return run(scope);
    };
  }

  /** A parameter: a name, or names in [] or {}. */
  #pattern(node: Pattern): Bind {
    switch (node.type) {
      case "Identifier": {
        const slot = this.#slots++;
        this.#variables.push({ name: node.name, slot });
        return (scope, value) => {
          scope.slots[slot] = value;
        };
      }
      case "ArrayPattern": {
        const parts = node.elements.map((part) => part === null ? null : this.#pattern(part));
        return (scope, value) => {
          parts.forEach((part, index) => part?.(scope, elementOf(value, index, node)));
        };
      }
      case "ObjectPattern": {
        const parts = node.properties.map((part): Bind => {
          if (part.type !== "Property" || part.computed || part.key.type !== "Identifier") {
            return fail("a parameter is a name, or names in [] or {}", part);
          }
          const { name } = part.key;
          const bind = this.#pattern(part.value);
          return (scope, value) => bind(scope, propertyOf(value, name));
        });
        return (scope, value) => {
          for (const part of parts) part(scope, value);
        };
      }
      default:
        return fail("a parameter is a name, or names in [] or {}", node);
    }
  }
}

export type { MethodEntry, Signature };
