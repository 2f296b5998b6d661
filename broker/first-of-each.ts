/** What a request names twice is refused, and answered once: Kafka collects answers by name. */
export function firstOfEach<T>(answers: readonly T[], nameOf: (answer: T) => string | null): T[] {
  const named = new Set<string>();
  return answers.filter((answer) => {
    const name = nameOf(answer);
    if (name === null) return true;
    const isFirst = !named.has(name);
    named.add(name);
    return isFirst;
  });
}
