export { systemClock as bunClock } from "../system-clock.ts";
