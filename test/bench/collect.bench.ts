import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openLogReader } from "../../edge/log/reader.ts";
import { renderLoadConfig } from "../../edge/simulator/load-server.ts";
import { quantile, usageOf } from "../support/process-usage.ts";
import { endPrograms, firstLine, startProgram } from "../support/runtime-process.ts";

/**
 * 10,000 OPC UA signals that all change every second, through subscriptions to the durable log, by the runtime as
 * `tailstock up` starts it (dashboard included). Server and measuring reader are processes of their own.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      signals: { type: "string", default: "10000" },
      interval: { type: "string", default: "1000" },
      seconds: { type: "string", default: "60" },
      warmup: { type: "string", default: "20" },
    },
  });
  const signals = Number(values.signals);
  const intervalMs = Number(values.interval);
  const folder = mkdtempSync(join(tmpdir(), "tailstock-bench-"));
  const children: ChildProcess[] = [];
  try {
    const server = startProgram([
      "edge/simulator/load-main.ts",
      "--signals",
      String(signals),
      "--interval",
      String(intervalMs),
    ]);
    children.push(server);
    const { endpointUrl } = JSON.parse(await firstLine(server)) as { endpointUrl: string };
    writeFileSync(
      join(folder, "tailstock.yaml"),
      renderLoadConfig(endpointUrl, signals, { samplingIntervalMs: intervalMs }),
    );
    const runtime = startProgram(["edge/cli/main.ts", "up", "-c", join(folder, "tailstock.yaml")]);
    children.push(runtime);
    runtime.stdout?.resume();
    await delay(Number(values.warmup) * 1_000);
    const pid = runtime.pid ?? 0;
    const measured = await measure(join(folder, "data", "tailstock.db"), pid, Number(values.seconds) * 1_000);
    print({ signals, intervalMs, ...measured });
  } finally {
    await endPrograms(children);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Measured {
  readonly seconds: number;
  readonly samples: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
  readonly writtenBytes: number;
  readonly fileBytes: number;
  /** Includes up to one sampling interval: the server looks at the value only so often. */
  readonly sourceLatenciesMs: Float64Array;
  readonly receivedLatenciesMs: Float64Array;
}

/** Follows the log from another process, so that what it sees is durable; asks every 5 ms, which is in the latencies. */
async function measure(path: string, pid: number, durationMs: number): Promise<Measured> {
  const log = openLogReader(path);
  let offset = log.head();
  const before = usageOf(pid);
  const sizeBefore = log.sizeBytes();
  const startedMs = performance.now();
  const sourceLatencies: number[] = [];
  const receivedLatencies: number[] = [];
  let samples = 0;
  while (performance.now() - startedMs < durationMs) {
    await delay(5);
    if (log.head() === offset) continue;
    const seenMs = Date.now();
    for (const event of log.readAfter(offset, { limitEvents: 10_000 })) {
      offset = event.offset;
      if (event.type !== "telemetry") continue;
      samples += event.data.samples.length;
      for (const { sourceTimestampMs, receivedTimestampMs } of event.data.samples) {
        if (sourceTimestampMs !== null) sourceLatencies.push(seenMs - sourceTimestampMs);
        receivedLatencies.push(seenMs - receivedTimestampMs);
      }
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const after = usageOf(pid);
  const fileBytes = log.sizeBytes() - sizeBefore;
  log.close();
  return {
    seconds,
    samples,
    cpuMs: after.cpuMs - before.cpuMs,
    rssBytes: after.rssBytes,
    rssPeakBytes: after.rssPeakBytes,
    writtenBytes: after.writtenBytes - before.writtenBytes,
    fileBytes,
    sourceLatenciesMs: Float64Array.from(sourceLatencies).sort(),
    receivedLatenciesMs: Float64Array.from(receivedLatencies).sort(),
  };
}

function print(m: Measured & { signals: number; intervalMs: number }): void {
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const rows: [string, string, string][] = [
    ["signals × rate", `${m.signals} every ${m.intervalMs} ms`, ""],
    [
      "values/s durable",
      (m.samples / m.seconds).toFixed(0),
      `wanted ${((m.signals * 1_000) / m.intervalMs).toFixed(0)}`,
    ],
    [
      "CPU of the runtime",
      `${((m.cpuMs / m.seconds / 1_000) * 100).toFixed(1)} % of one core`,
      "wanted ≤ 15 % at 10,000/s",
    ],
    [
      "RSS now / peak",
      `${mib(m.rssBytes)} / ${mib(m.rssPeakBytes)} (${(m.rssBytes / 1e6).toFixed(0)} MB)`,
      "wanted ≤ 250 MB at 10,000/s",
    ],
    latencyRow("source → durable p50 / p99", m.sourceLatenciesMs, "with the server's sampling interval"),
    latencyRow("received → durable p50 / p99", m.receivedLatenciesMs, "seen by another process that asks every 5 ms"),
    [
      "written to disk",
      `${(m.writtenBytes / m.samples).toFixed(1)} B a reading`,
      "kernel's write_bytes of the process",
    ],
    ["log grew by", `${(m.fileBytes / m.samples).toFixed(1)} B a reading`, ""],
  ];
  process.stdout.write(`collect, ${m.seconds.toFixed(0)} s\n`);
  for (const [what, value, note] of rows) process.stdout.write(`  ${what.padEnd(36)} ${value.padEnd(30)} ${note}\n`);
}

function latencyRow(what: string, sorted: Float64Array, note: string): [string, string, string] {
  return [what, `${quantile(sorted, 0.5).toFixed(0)} / ${quantile(sorted, 0.99).toFixed(0)} ms`, note];
}
