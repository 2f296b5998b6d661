/** `--throttle` of the commands that move partitions. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  ki: 1024,
  m: 1e6,
  mi: 1024 ** 2,
  g: 1e9,
  gi: 1024 ** 3,
};

/** `--throttle`; the value is in bytes per second. */
export function throttleOption() {
  return new Option("--throttle <rate>", "move no faster: bytes a second of a broker, as 50MB")
    .argParser(parseRate);
}

function parseRate(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?([kmg]i?)?(?:b(?:\/s)?)?$/i.exec(text.trim());
  const rate = Math.floor(Number(match?.[1]) * (UNITS[(match?.[2] ?? "").toLowerCase()] ?? NaN));
  if (rate >= 1 && Number.isSafeInteger(rate)) return rate;
  throw new InvalidArgumentError("It is no number of bytes a second, as 500kB or 50MB.");
}
