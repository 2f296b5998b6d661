/** What fits: whole parts between commas, if the first one does. */
export function fit(text: string, width: number): string {
  let fitting = text;
  while (fitting.length > width && fitting.includes(", ")) {
    fitting = fitting.slice(0, fitting.lastIndexOf(", "));
  }
  return fitting.slice(0, Math.max(0, width));
}
