#!/usr/bin/env node
// Sets up what is missing and hands over to Node 24. Plain JavaScript that any Node >= 18 runs, with no dependency:
// it is what installs them. `npm start`, `npm test`, `npm run bench`, `npm run train` and `npx tailstock` all come through here.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** npm waits half a minute between tries; whoever stands before a dead network should be told sooner. */
const PATIENCE = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000"];
const runtimeFolder = join(root, ".runtime");
const quiet = process.argv[2] !== "start" && process.argv[2] !== "test";

function say(text) {
  process.stderr.write(`tailstock: ${text}\n`);
}

function fail(text, hint) {
  say(text);
  if (hint) say(hint);
  process.exit(1);
}

/** Runs npm with its output kept for the error; npm's own chatter helps nobody who is waiting for a factory. */
function npm(args, what) {
  const viaNode = process.env.npm_execpath?.endsWith(".js") ? process.env.npm_execpath : undefined;
  const command = viaNode ? process.execPath : process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(command, viaNode ? [viaNode, ...args] : args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    shell: !viaNode && process.platform === "win32",
    // What calls us may itself be npm: its settings for our package must not leak into this run.
    env: {
      ...process.env,
      npm_config_loglevel: "error",
      npm_config_prefix: undefined,
      npm_config_local_prefix: undefined,
    },
  });
  if (result.error)
    fail(`${what}: npm could not be started (${result.error.message}).`, "Install npm, or put it in PATH.");
  if (result.status !== 0) {
    const lines = `${result.stderr}${result.stdout}`
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.includes("npm warn"));
    process.stderr.write(`${lines.slice(-12).join("\n")}\n`);
    fail(
      `${what} failed.`,
      "Check that the npm registry can be reached (npm ping) and that the disk is not full, then run the same command again.",
    );
  }
}

function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(path.slice(root.length)).update(readFileSync(path));
  return hash.digest("hex");
}

function stampIs(name, value) {
  const path = join(runtimeFolder, name);
  return existsSync(path) && readFileSync(path, "utf8") === value;
}

function stamp(name, value) {
  mkdirSync(runtimeFolder, { recursive: true });
  writeFileSync(join(runtimeFolder, name), value);
}

/** One set-up at a time: two commands started together would otherwise install over each other. */
function withLock(work) {
  mkdirSync(runtimeFolder, { recursive: true });
  const lock = join(runtimeFolder, "setup.lock");
  const deadline = Date.now() + 5 * 60_000;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") fail(`cannot write ${lock} (${error.message}).`, "Check the folder's permissions.");
      if (!isAlive(Number(readFileSync(lock, "utf8")))) rmSync(lock, { force: true });
      else if (Date.now() > deadline)
        fail("another set-up has been running for five minutes.", `Wait for it, or delete ${lock}.`);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    }
  }
  process.once("exit", () => rmSync(lock, { force: true }));
  const result = work();
  rmSync(lock, { force: true });
  return result;
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function installPackages() {
  const wanted = hashOf([join(root, "package-lock.json")]);
  if (stampIs("packages.sha256", wanted) && existsSync(join(root, "node_modules"))) return;
  const started = Date.now();
  say("installing packages from the npm registry (npm ci --ignore-scripts) …");
  npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...PATIENCE], "Installing the packages");
  stamp("packages.sha256", wanted);
  say(`packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Path of a Node of the wanted major: this one when it fits, else one from the npm registry under .runtime/. */
function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) return process.execPath;
  const os = { linux: "linux", darwin: "darwin", win32: "win" }[process.platform];
  const name = `node-${os}-${process.arch}`;
  if (!os || !["x64", "arm64"].includes(process.arch)) {
    fail(
      `Node ${NODE_MAJOR} is needed and cannot be had from npm for ${process.platform} ${process.arch}; this is Node ${process.versions.node}.`,
      `Install Node ${NODE_MAJOR} or newer and run the same command again.`,
    );
  }
  const path = join(runtimeFolder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(path)) return path;
  say(`this machine has Node ${process.versions.node}; getting Node ${NODE_MAJOR} from the npm registry …`);
  npm(
    [
      "install",
      "--no-save",
      "--no-package-lock",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      ...PATIENCE,
      "--prefix",
      runtimeFolder,
      `${name}@${NODE_MAJOR}`,
    ],
    `Getting Node ${NODE_MAJOR}`,
  );
  if (!existsSync(path))
    fail(`the package ${name} came without its program at ${path}.`, `Install Node ${NODE_MAJOR} by hand.`);
  return path;
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== "dist")
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

/** The pages are the one thing that is built: by Vite, when their sources changed. */
const PAGES = [
  { what: "the dashboard's page", folder: ["edge", "dashboard", "web"], stamp: "page.sha256" },
  { what: "the central office's page", folder: ["cloud-sync", "office", "web"], stamp: "office.sha256" },
];

function buildPages(node) {
  // What pages have in common: one may use parts of the other.
  const shared = [join(root, "edge", "kernel", "status-code.ts"), join(root, "package-lock.json")];
  const sources = PAGES.flatMap(({ folder }) => filesBelow(join(root, ...folder)));
  const wanted = hashOf([...sources, ...shared]);
  for (const { what, folder, stamp: name } of PAGES) {
    const web = join(root, ...folder);
    if (stampIs(name, wanted) && existsSync(join(web, "dist", "index.html"))) continue;
    const built = spawnSync(
      node,
      [join(root, "node_modules", "vite", "bin", "vite.js"), "build", web, "--logLevel", "warn"],
      { cwd: root, encoding: "utf8" },
    );
    if (built.status !== 0) {
      process.stderr.write(`${built.stdout}${built.stderr}`);
      fail(
        `building ${what} failed.`,
        "The lines above say why; delete node_modules and try again if a package is missing.",
      );
    }
    stamp(name, wanted);
    if (!quiet) say(`${what} built`);
  }
}

/** Replaces this process as far as Node can: same streams, signals passed on, same exit code. */
function handOver(node, args) {
  // glibc gives back what sealing took, instead of keeping it: 60 MB at 10,000 readings a second.
  const env = { ...JSON.parse(readFileSync(join(root, "edge", "cli", "node-env.json"), "utf8")), ...process.env };
  const child = spawn(node, args, { cwd: process.cwd(), stdio: ["inherit", "inherit", "inherit", "ipc"], env });
  // A terminal sends Ctrl-C to the whole group, so the child may see it twice; it decides when to end, and we end with it.
  // The channel closes when this process dies, however it dies: the child takes that as the order to stop.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
  child.on("error", (error) =>
    fail(
      `${node} could not be started (${error.message}).`,
      "Delete the folder .runtime and run the same command again.",
    ),
  );
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}

const [command = "help", ...rest] = process.argv.slice(2);
const node = withLock(() => {
  if (!existsSync(join(root, "package-lock.json")) || !statSync(root).isDirectory())
    fail("package-lock.json is missing.", "Clone the repository again.");
  installPackages();
  const found = findNode();
  buildPages(found);
  return found;
});
const inRepo = (...parts) => join(root, ...parts);
// A small young generation: at 10,000 readings a second it costs a few per cent of a core and saves 100 MB of memory.
const flags = JSON.parse(readFileSync(inRepo("edge", "cli", "node-flags.json"), "utf8"));
if (command === "test") handOver(node, [...flags, inRepo("test", "run.ts"), ...rest]);
else if (command === "check") handOver(node, [...flags, inRepo("test", "run.ts"), "--no-tests", ...rest]);
else if (command === "bench") handOver(node, [...flags, inRepo("test", "bench", "main.ts"), ...rest]);
else if (command === "train" || command === "evaluate")
  handOver(node, [...flags, inRepo("models", "main.ts"), command, ...rest]);
else if (command === "start") handOver(node, [...flags, inRepo("edge", "cli", "main.ts"), "demo", ...rest]);
else handOver(node, [...flags, inRepo("edge", "cli", "main.ts"), command, ...rest]);
