import * as tf from "@tensorflow/tfjs-core";
import { initializers, layers, type Sequential, sequential } from "@tensorflow/tfjs-layers";

/** The shape of a dense network: inputs, hidden layers of ReLU units, one logit for each class. */
export interface NetworkShape {
  readonly inputs: number;
  readonly hidden: readonly number[];
  readonly classes: number;
}

/** @param seed of the first weights: the same seed gives the same network. startTensors must have been awaited. */
export function denseNetwork({ inputs, hidden, classes }: NetworkShape, seed = 0): Sequential {
  const network = sequential();
  [...hidden, classes].forEach((units, i) => {
    network.add(
      layers.dense({
        units,
        ...(i === 0 ? { inputShape: [inputs] } : {}),
        ...(i < hidden.length ? { activation: "relu" } : {}),
        kernelInitializer: initializers.heNormal({ seed: seed + i }),
      }),
    );
  });
  return network;
}

/** Kernel and bias of each layer in turn, row by row, as one run of numbers. */
export function weightsOf(network: Sequential): Float32Array {
  const parts = network.getWeights().map((weight) => weight.dataSync() as Float32Array);
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function parametersOf({ inputs, hidden, classes }: NetworkShape): number {
  let count = 0;
  let from = inputs;
  for (const units of [...hidden, classes]) {
    count += (from + 1) * units;
    from = units;
  }
  return count;
}

/** Puts what weightsOf gave into a network of the same shape. */
export function setWeights(network: Sequential, all: Float32Array): void {
  let at = 0;
  const tensors = network.getWeights().map(({ shape, size }) => {
    const part = all.subarray(at, at + size);
    at += size;
    return tf.tensor(part, shape);
  });
  network.setWeights(tensors);
  tf.dispose(tensors);
}

/** Logits of rows that stand one behind the other. */
export function logitsOf(network: Sequential, rows: Float32Array, { inputs, classes }: NetworkShape): Float32Array {
  const count = rows.length / inputs;
  if (count === 0) return new Float32Array(0);
  return tf.tidy(() => {
    const logits = network.predict(tf.tensor2d(rows, [count, inputs]), { batchSize: count }) as tf.Tensor;
    if (logits.size !== count * classes) throw new Error(`${logits.size} logits of ${count} rows`);
    return logits.dataSync() as Float32Array;
  });
}
