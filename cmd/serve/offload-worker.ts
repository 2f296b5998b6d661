/** The script of the broker's worker threads: all tasks that may run in them. */
import { bunCodecs } from "../../core/compression/bun.ts";
import { flushTask } from "../../core/io/bun/flush-task.ts";
import { serveOffload } from "../../core/io/bun/offload.ts";
import { cleanTask } from "../../storage/cleaner/clean-task.ts";
import { keyIndexTask } from "../../storage/keys/key-index-task.ts";

serveOffload([cleanTask(bunCodecs), keyIndexTask(bunCodecs), flushTask]);
