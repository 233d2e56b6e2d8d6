import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sourceFiles } from "../test/support/source-tree.ts";

// The template against the conventions of IoT Edge manifests and of the module folders that it names.
interface ModuleEntry {
  version?: string;
  type: string;
  status?: string;
  restartPolicy?: string;
  startupOrder?: number;
  imagePullPolicy?: string;
  env?: Record<string, { value: string }>;
  settings: {
    image: string;
    createOptions: {
      ExposedPorts?: Record<string, unknown>;
      HostConfig: { Binds?: string[]; Memory?: number; NetworkMode?: string };
    };
  };
}
interface Template {
  "$schema-template": string;
  modulesContent: {
    $edgeAgent: {
      "properties.desired": {
        schemaVersion: string;
        runtime: { type: string; settings: object };
        systemModules: Record<string, ModuleEntry>;
        modules: Record<string, ModuleEntry>;
      };
    };
    $edgeHub: {
      "properties.desired": {
        schemaVersion: string;
        routes: Record<string, string | { route: string; priority?: number; timeToLiveSecs?: number }>;
        storeAndForwardConfiguration: { timeToLiveSecs: number };
      };
    };
  };
}
interface ModuleFile {
  "$schema-version": string;
  description: string;
  language: string;
  image: {
    repository: string;
    tag: { version: string; platforms: Record<string, string> };
    buildOptions: string[];
    contextPath: string;
  };
}

const root = join(import.meta.dirname, "..");
const text = readFileSync(join(root, "deployment.template.json"), "utf8");
const template = JSON.parse(text) as Template;
const agent = template.modulesContent.$edgeAgent["properties.desired"];
const hub = template.modulesContent.$edgeHub["properties.desired"];
const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const moduleFileOf = (name: string): ModuleFile =>
  JSON.parse(readFileSync(join(import.meta.dirname, name, "module.json"), "utf8")) as ModuleFile;

test("the template has the schemas that edgeAgent and edgeHub understand", () => {
  expect(template["$schema-template"]).toBe("4.0.0");
  expect(agent.schemaVersion).toBe("1.1");
  expect(agent.runtime.type).toBe("docker");
  expect(Object.keys(agent.systemModules).sort()).toEqual(["edgeAgent", "edgeHub"]);
  expect(Number(hub.schemaVersion)).toBeGreaterThanOrEqual(1.1);
  expect(hub.storeAndForwardConfiguration.timeToLiveSecs).toBeGreaterThan(0);
});

test("every module folder is deployed, and every MODULES.x of an image has its folder", () => {
  const named = [...text.matchAll(/\$\{MODULES\.([^}]+)\}/g)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(folders.toSorted());
  expect(Object.keys(agent.modules).sort()).toEqual(folders.toSorted());
  for (const [name, { settings }] of Object.entries(agent.modules)) expect(settings.image).toBe(`\${MODULES.${name}}`);
});

test("createOptions are objects, as a template has them, and a final manifest's text of each stays under 4 KB", () => {
  for (const { settings } of [...Object.values(agent.systemModules), ...Object.values(agent.modules)]) {
    expect(settings.createOptions).toBeTypeOf("object");
    expect(JSON.stringify(settings.createOptions).length).toBeLessThan(4_096);
  }
});

test("routes are an object of sentences that name modules of this deployment", () => {
  expect(Array.isArray(hub.routes)).toBe(false);
  for (const route of Object.values(hub.routes)) {
    const sentence = typeof route === "string" ? route : route.route;
    expect(sentence).toMatch(
      /^FROM \/messages\/.+ INTO (\$upstream|BrokeredEndpoint\("\/modules\/[^/]+\/inputs\/[^/]+"\))$/,
    );
    const source = /^FROM \/messages\/modules\/([^/ ]+)/.exec(sentence)?.[1];
    if (source !== undefined) expect(Object.keys(agent.modules)).toContain(source);
  }
});

describe.each(Object.entries(agent.modules))("module %s", (name, entry) => {
  test("says how it is run, restarted, ordered, bounded and configured", () => {
    expect(entry).toMatchObject({
      type: "docker",
      status: "running",
      restartPolicy: "always",
      imagePullPolicy: "on-create",
    });
    expect(entry.startupOrder).toBeGreaterThanOrEqual(0);
    expect(entry.settings.createOptions.HostConfig.Memory).toBeGreaterThanOrEqual(256 * 1024 * 1024);
    for (const variable of Object.values(entry.env ?? {})) expect(variable).toEqual({ value: expect.any(String) });
    expect(entry.env?.TAILSTOCK_CONFIG?.value).toBe("/data/tailstock.yaml");
  });

  test("shares the host's folder with the log", () => {
    expect(entry.settings.createOptions.HostConfig.Binds).toEqual(["/var/lib/tailstock:/data"]);
  });

  test("has the version of its module.json, and an image for both platforms", () => {
    const file = moduleFileOf(name);
    expect(file["$schema-version"]).toBe("0.0.1");
    expect(file.description.length).toBeGreaterThan(10);
    expect(file.language).toBe("javascript");
    expect(file.image.tag.version).toBe(entry.version);
    expect(file.image.repository).toContain(name);
    expect(Array.isArray(file.image.buildOptions)).toBe(true);
    expect(Object.keys(file.image.tag.platforms)).toEqual(["amd64", "arm64v8"]);
    expect(existsSync(join(import.meta.dirname, name, file.image.contextPath, "package-lock.json"))).toBe(true);
  });

  test.each(["amd64", "arm64v8"])(
    "Dockerfile.%s: staged, pinned, no scripts, not root, with a health check",
    (platform) => {
      const file = moduleFileOf(name).image.tag.platforms[platform] ?? "";
      const dockerfile = readFileSync(join(import.meta.dirname, name, file), "utf8");
      const bases = [...dockerfile.matchAll(/^FROM --platform=(\S+) (\S+)/gm)];
      expect(bases.length).toBeGreaterThanOrEqual(2);
      for (const [, on, image] of bases) {
        expect(on).toBe(platform === "amd64" ? "linux/amd64" : "linux/arm64");
        expect(image).toBe("node:24-slim");
      }
      expect(dockerfile).toContain("npm ci --ignore-scripts --omit=dev");
      expect(dockerfile.lastIndexOf("USER node")).toBeGreaterThan(dockerfile.lastIndexOf("FROM "));
      expect(dockerfile).toContain("HEALTHCHECK");
      // What is copied and started must be there.
      for (const [, path] of dockerfile.matchAll(/^COPY (?!--from)(\S+)/gm))
        expect(existsSync(join(root, path ?? ""))).toBe(true);
      for (const [, path] of dockerfile.matchAll(/"(modules\/[^"]+\.ts)"/g))
        expect(existsSync(join(root, path ?? ""))).toBe(true);
    },
  );
});

// An image that lacks a file fails where nobody can look: the files that a program leads to must all be copied.
test.each(folders)("the images of %s hold every source file that its programs lead to", (name) => {
  const byPath = new Map(sourceFiles().map((file) => [file.path, file]));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const target of byPath.get(path)?.imports ?? []) visit(target);
  };
  visit(`modules/${name}/main.ts`);
  visit(`modules/${name}/health.ts`);
  expect(reached.size).toBeGreaterThan(20);
  for (const file of Object.values(moduleFileOf(name).image.tag.platforms)) {
    const dockerfile = readFileSync(join(import.meta.dirname, name, file), "utf8");
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(\S+) (?!edge\/dashboard\/web$)/gm)].map(
      ([, path]) => path ?? "",
    );
    const missing = [...reached].filter((path) => !copied.some((from) => path === from || path.startsWith(`${from}/`)));
    expect(missing).toEqual([]);
  }
});

test("what the uplink hands to edgeHub goes upstream, the priority lane first, and is kept as long as the log keeps it", () => {
  const DAYS_30_S = 30 * 86_400;
  expect(hub.routes).toEqual({
    tailstockPriority: {
      route: "FROM /messages/modules/uplink/outputs/priority INTO $upstream",
      priority: 0,
      timeToLiveSecs: DAYS_30_S,
    },
    tailstockTelemetry: {
      route: "FROM /messages/modules/uplink/outputs/telemetry INTO $upstream",
      priority: 1,
      timeToLiveSecs: DAYS_30_S,
    },
  });
  expect(hub.storeAndForwardConfiguration.timeToLiveSecs).toBe(DAYS_30_S);
  // edgeHub acknowledges what it has stored: its store must outlive its container, and be none of the log's folder.
  const { edgeHub } = agent.systemModules;
  const folder = edgeHub?.env?.storageFolder?.value;
  expect(edgeHub?.settings.createOptions.HostConfig.Binds).toEqual([`/var/lib/tailstock-edgehub:${folder}`]);
  expect(agent.modules.uplink?.startupOrder).toBe(1);
});

test("the collector waits for nobody; the dashboard's port is the host's, on loopback as long as it has no log-in", () => {
  const { collector, dashboard } = agent.modules;
  expect(collector?.startupOrder).toBe(0);
  expect(dashboard?.startupOrder).toBe(1);
  expect(dashboard?.settings.createOptions.HostConfig.NetworkMode).toBe("host");
  expect(Object.keys(dashboard?.settings.createOptions.ExposedPorts ?? {})).toEqual(["8080/tcp"]);
});
