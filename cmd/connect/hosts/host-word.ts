/** The first word of a command line by which a worker starts the process of a host. */
export const HOST_WORD = "__connect-host";
