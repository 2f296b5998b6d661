/** Where `produce --resume` keeps its positions; a transactional id is this, a dash and the name. */
export const INGEST_TOPIC = "kstream-ingest";
