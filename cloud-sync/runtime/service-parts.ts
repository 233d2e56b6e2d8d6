import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { AccessControl } from "../services/access/access-control.ts";
import type { HttpComponent } from "../services/http/http-component.ts";
import { MODELS_FOLDER, type PartDeps } from "./part.ts";

/** What people and programs can reach, as far as it runs here. */
export interface ListeningServices {
  /** http://… of the page. */
  readonly office: string | undefined;
  /** File with the account that the first start has made. */
  readonly account: string | undefined;
}

const ACCOUNT_NAME = "administrator.txt";

/** Takes in the page and the services that run here; resolves when they listen. */
export async function addServices(deps: PartDeps): Promise<ListeningServices> {
  const { parts, config } = deps;
  const wanted = (["office", "command", "query"] as const).filter((part) => parts.includes(part));
  if (wanted.length === 0) return { office: undefined, account: undefined };
  const { createAccess } = await import("../services/access/access-control.ts");
  const { database, clock, logger } = deps;
  const { behindProxy, oidc } = config.office;
  const access = createAccess({ database, config: { secure: behindProxy, oidc }, clock, logger });
  const account = await makeFirstAccount(access, config.folder);
  const addresses: Partial<Record<(typeof wanted)[number], string>> = {};
  for (const part of wanted) {
    const create =
      part === "office"
        ? await officeOf(access, deps)
        : part === "command"
          ? await commandOf(access, deps)
          : await queryOf(access, deps);
    const address = await listening(part, create, deps, wanted.length === 1 || part === "office");
    if (address !== undefined) addresses[part] = address;
  }
  return { office: addresses.office, account };
}

async function makeFirstAccount(access: AccessControl, folder: string): Promise<string | undefined> {
  const path = join(folder, ACCOUNT_NAME);
  await access.accounts.ensureFirstAdministrator(({ name, password }) => {
    // A file of an earlier database would keep its rights.
    rmSync(path, { force: true });
    writeFileSync(path, `name: ${name}  password: ${password}\n`, { mode: 0o600 });
  });
  return path;
}

async function officeOf(access: AccessControl, { config, database, store, clock, logger }: PartDeps) {
  const [{ createOffice }, { OFFICE_WEB_ROOT }, { commandRoutes }, { queryRoutes }] = await Promise.all([
    import("../office/create-office.ts"),
    import("../office/web-root.ts"),
    import("../services/command/routes.ts"),
    import("../services/query/service.ts"),
  ]);
  const { behindProxy, commandUrl, queryUrl } = config.office;
  const score = config.scoring === undefined ? undefined : await scoreOf(access);
  return () =>
    createOffice({
      access,
      ...(score === undefined ? {} : { score }),
      ...(commandUrl === undefined ? { command: commandRoutes({ store, access, clock, logger }) } : {}),
      ...(queryUrl === undefined ? { query: queryRoutes({ database, store, access, clock, logger }) } : {}),
      proxy: { commandUrl, queryUrl },
      webRoot: OFFICE_WEB_ROOT,
      behindProxy,
      clock,
      logger,
    });
}

/** The lab's scoring service, for whoever may look. */
async function scoreOf(access: AccessControl) {
  const [{ loadScoringModels }, { scoreRoutes }] = await Promise.all([
    import("../scoring/scoring-models.ts"),
    import("../scoring/score-routes.ts"),
  ]);
  const { classifier } = await loadScoringModels(MODELS_FOLDER);
  return scoreRoutes({ model: classifier, access });
}

async function commandOf(access: AccessControl, { config, store, clock, logger }: PartDeps) {
  const { createCommandService } = await import("../services/command/service.ts");
  const { behindProxy } = config.office;
  return () => createCommandService({ store, access, behindProxy, clock, logger });
}

async function queryOf(access: AccessControl, { config, database, store, clock, logger }: PartDeps) {
  const { createQueryService } = await import("../services/query/service.ts");
  const { behindProxy } = config.office;
  return () => createQueryService({ database, store, access, behindProxy, clock, logger });
}

/** @param atPort whether it takes the configured port, and not any free one */
async function listening(
  name: string,
  create: () => FastifyInstance,
  { config, logger, supervisor }: PartDeps,
  atPort: boolean,
): Promise<string | undefined> {
  const { HttpComponent } = await import("../services/http/http-component.ts");
  const { listen: host, port, behindProxy } = config.office;
  const component: HttpComponent = new HttpComponent({
    name,
    create,
    host,
    port: atPort ? port : 0,
    behindProxy,
    logger,
  });
  return new Promise((resolve) => {
    supervisor.supervise(
      {
        name,
        run: (signal, ready) =>
          component.run(signal, () => {
            ready();
            resolve(component.address);
          }),
      },
      { essential: true },
    );
  });
}
