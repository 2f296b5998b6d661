/** Numbers in formats: as digits, or as rpk's modifiers (`big32`, `hex8`, `byte`, …) say. */
import type { Output } from "../../../core/text/output.ts";

/** Prints a number. */
export type NumberPrinter = (output: Output, value: number) => void;

const HEX_DIGITS = /^hex(64|32|16|8|4)$/;
const BINARY = /^(big|little)(64|32|16|8)$/;

/** Null if the modifier is none of numbers. */
export function numberPrinter(modifier: string): NumberPrinter | null {
  if (modifier === "ascii") return (output, value) => output.text(String(value));
  if (modifier === "bool") return (output, value) => output.text(String(value !== 0));
  if (modifier === "byte") return (output, value) => output.byte(value & 0xff);
  const hex = HEX_DIGITS.exec(modifier);
  if (hex !== null) {
    const bits = Number(hex[1]);
    return (output, value) => {
      output.text(BigInt.asUintN(bits, BigInt(value)).toString(16).padStart(bits / 4, "0"));
    };
  }
  const binary = BINARY.exec(modifier);
  if (binary === null) return null;
  const bits = Number(binary[2]);
  const shifts = Array.from({ length: bits / 8 }, (_, i) => BigInt(i * 8));
  if (binary[1] === "big") shifts.reverse();
  return (output, value) => {
    const bytes = BigInt.asUintN(bits, BigInt(value));
    for (const shift of shifts) output.byte(Number((bytes >> shift) & 0xffn));
  };
}
