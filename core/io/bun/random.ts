export { systemRandom as bunRandom } from "../system-random.ts";
