/** Gives what makes a tree (`tree.ts`) of a text; it throws an object whose `message` ends in the place. */
export function load(): Promise<(text: string) => unknown>;
