/** The first word of a command line by which a shell asks what may be typed. */
export const COMPLETE_WORD = "__complete";
