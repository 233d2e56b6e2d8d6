import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { EdgeError } from "../edge/kernel/errors.ts";
import { newestVersion, nextVersion } from "./artifact/newest-version.ts";
import { loadClassifier } from "./maintenance/classifier.ts";
import { evaluateMaintenance } from "./maintenance/evaluate.ts";
import { trainMaintenance } from "./maintenance/train.ts";
import { startTensors } from "./tensors/tensor-backend.ts";

// `npm run train -- NAME --data FILE` and `npm run evaluate -- NAME --data FILE`.
const PRESS_FOLDER = join(import.meta.dirname, "maintenance", "press");
/** What is trained here is a candidate: it is in use when somebody puts it beside the others. */
const CANDIDATES = join(import.meta.dirname, "..", ".runtime", "models", "maintenance", "press");
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

interface TrainOptions {
  readonly out: string;
  readonly modelVersion?: string;
  readonly seed?: string;
}

async function train(data: string, options: TrainOptions): Promise<void> {
  const version = options.modelVersion ?? nextVersion([PRESS_FOLDER, options.out]);
  say(`training by the backend ${await startTensors()}`);
  const { manifest } = await trainMaintenance({
    data,
    folder: options.out,
    version,
    ...(options.seed === undefined ? {} : { seed: seedOf(options.seed) }),
    progress: ({ number, of, loss }) => {
      if (number % 10 === 0 || number === of) say(`epoch ${number} of ${of}, loss ${loss.toFixed(4)}`);
    },
  });
  const { holdOut } = manifest.metrics;
  say(`hold-out of ${holdOut.rows} rows: accuracy ${(holdOut.accuracy * 100).toFixed(2)} %`);
  say(`calibration error ${(holdOut.calibrationError * 100).toFixed(2)} %, log loss ${holdOut.logLoss.toFixed(4)}`);
  const folder = join(options.out, version);
  say(`written to ${folder}`);
  if (options.out === CANDIDATES) say(`Put that folder into ${PRESS_FOLDER} to use it.`);
}

function seedOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new EdgeError("USAGE", `"${text}" is no seed`, { hint: "A seed is a whole number of at most nine digits." });
}

async function evaluate(data: string, options: { model?: string }): Promise<void> {
  const classifier = await loadClassifier(options.model ?? join(PRESS_FOLDER, newestVersion(PRESS_FOLDER)));
  const { model, rows, metrics, checks } = evaluateMaintenance(classifier, data);
  say(`${model}, backend ${await startTensors()}; rows: ${rows}`);
  say(
    `accuracy ${(metrics.accuracy * 100).toFixed(2)} % of ${metrics.rows} rows, ${metrics.outsideTraining} outside training`,
  );
  say(`calibration error ${(metrics.calibrationError * 100).toFixed(2)} %, log loss ${metrics.logLoss.toFixed(4)}`);
  say(`check vectors: ${checks.map(({ got, wanted }) => `${got} (wanted ${wanted})`).join(", ")}`);
  say("confusion, a line for each true label:");
  metrics.confusion.forEach((line, i) => {
    say(`  ${classifier.classes[i]?.label}: ${line.map((count) => String(count).padStart(6)).join("")}`);
  });
}

function program(): Command {
  const root = new Command("models").exitOverride();
  const dataOption = ["--data <file>", "CSV of pressure (psi), temperature (°C), label; no header"] as const;
  root
    .command("train")
    .argument("<name>", "maintenance")
    .requiredOption(...dataOption)
    .option("--model-version <version>", "version of the new model; left out: the next")
    .option("--out <folder>", "folder of its versions", CANDIDATES)
    .option("--seed <number>", "of the split and of the first weights")
    .action((name: string, options: TrainOptions & { data: string }) => train(named(name, options.data), options));
  root
    .command("evaluate")
    .argument("<name>", "maintenance")
    .requiredOption(...dataOption)
    .option("--model <folder>", "folder of one version; the newest when left out")
    .action((name: string, options: { data: string; model?: string }) => evaluate(named(name, options.data), options));
  return root;
}

function named(name: string, data: string): string {
  if (name !== "maintenance")
    throw new EdgeError("USAGE", `there is no model ${name}`, { hint: "The name is one of: maintenance." });
  return data;
}

// `| head` closes the pipe when it has seen enough: that is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof EdgeError) {
    process.stderr.write(`${error.code}: ${error.message}${error.hint === undefined ? "" : `\n${error.hint}`}\n`);
    process.exitCode = error.code === "USAGE" ? 2 : 1;
  } else throw error;
}
