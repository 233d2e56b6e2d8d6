import { readFileSync, writeFileSync } from "node:fs";

export interface ProcessUsage {
  /** User and system time since the process began. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** Highest resident set so far. */
  readonly rssPeakBytes: number;
  /** Bytes handed to the block layer, as the kernel counts them. */
  readonly writtenBytes: number;
}

const CLOCK_TICK_MS = 10;

/** Reads the kernel's counters of a process (Linux only: /proc). */
export function usageOf(pid: number): ProcessUsage {
  // The command's name stands in parentheses and may hold spaces: fields are counted from behind it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS,
    rssBytes: kibibytes("VmRSS"),
    rssPeakBytes: kibibytes("VmHWM"),
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0),
  };
}

/** This process, its threads included, with CPU time in microsecond steps instead of the kernel's ticks. */
export function ownUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { ...usageOf(process.pid), cpuMs: (user + system) / 1_000 };
}

/** Lets this process's highest resident set begin anew from what it holds now (proc(5), clear_refs). */
export function resetRssPeak(): void {
  writeFileSync("/proc/self/clear_refs", "5");
}

/** The value below which the given share of the sorted values lies. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
