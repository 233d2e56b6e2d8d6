import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { MachineWork } from "./seal-encoder.ts";

/**
 * Encodes the chunks up to `closedChunk` in a thread of its own; undefined when the signal aborts before it is done, or
 * another process has sealed them already.
 * @throws what the thread died of
 */
export async function encodeAside(
  path: string,
  closedChunk: number,
  signal: AbortSignal,
): Promise<MachineWork[] | undefined> {
  const works: MachineWork[] = [];
  const worker = new Worker(new URL("./seal-worker.ts", import.meta.url), {
    workerData: { path, closedChunk },
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 512 },
  });
  let isWhole = false;
  worker.on("message", (work: MachineWork | "all") => {
    if (work === "all") {
      isWhole = true;
      return;
    }
    // Buffers arrive as plain bytes.
    const blocks = work.blocks.map((block) => ({
      ...block,
      bytes: bufferOf(block.bytes),
      rollup: block.rollup && bufferOf(block.rollup),
    }));
    works.push({ ...work, blocks });
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  // `once` rejects with the thread's error.
  const [code] = (await once(worker, "exit").finally(() => signal.removeEventListener("abort", stop))) as [number];
  if (signal.aborted) return undefined;
  if (code !== 0) throw new Error(`the thread that encodes blocks ended with ${code}`);
  return isWhole ? works : undefined;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
