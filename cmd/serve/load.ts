/** How busy this process is: the processor's time that it took since the question before. */
export function loadPercent(): () => number {
  let { user, system } = process.cpuUsage();
  let atMs = performance.now();
  return () => {
    const now = process.cpuUsage();
    const nowMs = performance.now();
    const busyMs = (now.user + now.system - user - system) / 1000;
    const percent = Math.round(busyMs / Math.max(1, nowMs - atMs) * 100);
    ({ user, system } = now);
    atMs = nowMs;
    return percent;
  };
}
