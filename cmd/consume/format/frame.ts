/** Records behind their length, as `produce --frame` takes them. */
import type { FrameName } from "../../../core/text/framing.ts";
import { Output } from "../../../core/text/output.ts";
import type { Printer } from "./printer.ts";

const COMMA = 44;

/** Puts the length of what `print` prints before it. */
export function framed(print: Printer, frame: FrameName): Printer {
  const record = new Output(() => Promise.resolve(true));
  return (output, cursor, place) => {
    print(record, cursor, place);
    prefix(output, record.size, frame);
    record.moveTo(output);
    if (frame === "netstring") output.byte(COMMA);
  };
}

function prefix(output: Output, length: number, frame: FrameName): void {
  switch (frame) {
    case "u32":
      for (const shift of [24, 16, 8, 0]) output.byte((length >>> shift) & 0xff);
      return;
    case "varint": {
      let rest = length;
      for (; rest > 0x7f; rest = Math.floor(rest / 128)) output.byte((rest % 128) | 0x80);
      return output.byte(rest);
    }
    case "netstring":
      return output.text(`${length}:`);
  }
}
