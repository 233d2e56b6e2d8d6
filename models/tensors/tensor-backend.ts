import * as tf from "@tensorflow/tfjs-core";

/** The fastest first. node is TensorFlow's own library, an optional package. */
export const TENSOR_BACKENDS = ["node", "wasm", "cpu"] as const;
export type TensorBackend = (typeof TENSOR_BACKENDS)[number];

const NODE_PACKAGE = "@tensorflow/tfjs-node";
/** TensorFlow's name of each. */
const REGISTERED_AS: Readonly<Record<TensorBackend, string>> = { node: "tensorflow", wasm: "wasm", cpu: "cpu" };

let started: Promise<TensorBackend> | undefined;

/**
 * Starts TensorFlow once per process, by the fastest of the backends that this machine has; the same weights give the same answers on
 * each within 1e-4. Its notices on the console are kept back: what matters is the name, which `status` shows.
 */
export function startTensors(wanted: readonly TensorBackend[] = TENSOR_BACKENDS): Promise<TensorBackend> {
  started ??= firstOf(wanted);
  return started;
}

async function firstOf(wanted: readonly TensorBackend[]): Promise<TensorBackend> {
  tf.env().set("PROD", true);
  for (const backend of wanted) if (await isStarted(backend)) return backend;
  throw new Error(`TensorFlow has none of the backends ${wanted.join(", ")}`);
}

async function isStarted(backend: TensorBackend): Promise<boolean> {
  const notices = silenced();
  const listeners = processListeners();
  try {
    if (backend === "wasm") await import("@tensorflow/tfjs-backend-wasm");
    else if (backend === "cpu") await import("@tensorflow/tfjs-backend-cpu");
    else await import(NODE_PACKAGE);
    return await tf.setBackend(REGISTERED_AS[backend]);
  } catch {
    return false;
  } finally {
    notices();
    listeners();
  }
}

function silenced(): () => void {
  const { warn, log, info } = console;
  const nothing = (): void => undefined;
  Object.assign(console, { warn: nothing, log: nothing, info: nothing });
  return () => Object.assign(console, { warn, log, info });
}

/** The wasm build takes over the process's uncaught errors and throws them from elsewhere; they are the program's own affair. */
function processListeners(): () => void {
  const names = ["uncaughtException", "unhandledRejection"] as const;
  const before = names.map((name) => new Set<unknown>(process.listeners(name as "uncaughtException")));
  return () => {
    names.forEach((name, i) => {
      for (const listener of process.listeners(name as "uncaughtException"))
        if (!before[i]?.has(listener)) process.removeListener(name, listener);
    });
  };
}
