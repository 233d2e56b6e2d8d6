/** ISO 8601 in UTC. IoT Hub shows the year one for "never", which a Date can hold, so nothing is special about it. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
