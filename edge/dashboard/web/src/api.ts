import type { Trend } from "../../schemas/trend.ts";
import type { Uplink } from "../../schemas/uplink.ts";
import type { ConnectionView, Floor, MachineDetail } from "../../schemas/views.ts";

const TIMEOUT_MS = 15_000;

/** What the server refused or could not do, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(path, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  if (response.ok) return (await response.json()) as T;
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  throw new ApiError(response.status, body?.error?.message ?? `the server answered ${response.status}`);
}

function machinePath(machineId: string): string {
  const slash = machineId.indexOf("/");
  if (slash < 0) return encodeURIComponent(machineId);
  return `${encodeURIComponent(machineId.slice(0, slash))}/${encodeURIComponent(machineId.slice(slash + 1))}`;
}

export const getFloor = (): Promise<Floor> => get("/api/floor");
export const getConnections = (): Promise<ConnectionView[]> => get("/api/connections");
export const getUplink = (): Promise<Uplink> => get("/api/uplink");
export const getMachine = (machineId: string): Promise<MachineDetail> => get(`/api/machines/${machinePath(machineId)}`);

export function getTrend(
  machineId: string,
  signals: readonly string[],
  fromMs: number,
  toMs: number,
  points: number,
  signal: AbortSignal,
): Promise<Trend> {
  const query = new URLSearchParams({
    signals: signals.join(","),
    fromMs: String(Math.floor(fromMs)),
    toMs: String(Math.ceil(toMs)),
    points: String(points),
  });
  return get(`/api/machines/${machinePath(machineId)}/trend?${query}`, signal);
}
