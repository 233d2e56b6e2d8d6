import { join } from "node:path";
import type { Hub } from "../ports.ts";
import { ConfigurationStore } from "../store/configuration-store.ts";
import { openDatabase } from "../store/database.ts";
import { JobStore } from "../store/job-store.ts";
import { Configurator } from "./configurator.ts";
import { createDocuments, type Documents } from "./documents.ts";
import { JobRunner, jobDocuments } from "./job-runner.ts";

const PAGE_BYTES = 4_096;
const CACHE_KIB = 1_024;
const CHECKPOINT_PAGES = 500;

/** What the hub does for services by itself, in the background: configurations and jobs, in a file of their own. */
export interface HubServices extends AsyncDisposable {
  readonly documents: Documents;
  readonly configurations: ConfigurationStore;
  readonly configurator: Configurator;
  readonly jobs: JobStore;
}

/**
 * Opens or makes services.db in the hub's folder and begins its work. Disposing it ends the work and closes the file.
 * @throws HubError ServiceUnavailable
 */
export function openServices(hub: Hub, folder: string): HubServices {
  const { clock, logger } = hub;
  const database = openDatabase({
    path: join(folder, "services.db"),
    kind: "services",
    pageBytes: PAGE_BYTES,
    cacheKib: CACHE_KIB,
    checkpointPages: CHECKPOINT_PAGES,
  });
  const configurations = new ConfigurationStore(database, clock);
  const jobs = new JobStore(database, clock);
  const configurator = new Configurator({ hub, store: configurations, documents: () => documents, clock, logger });
  const documents = createDocuments({
    hub,
    configurationsOf: (identity) => configurator.statusesOf(identity),
    jobDocuments: jobDocuments(jobs),
  });
  const runner = new JobRunner({ hub, store: jobs, documents: () => documents, clock, logger });
  const ending = new AbortController();
  const working = Promise.all([configurator.run(ending.signal), runner.run(ending.signal)]);
  let closed: Promise<void> | undefined;
  return {
    documents,
    configurations,
    configurator,
    jobs,
    [Symbol.asyncDispose]: () => {
      ending.abort();
      closed ??= working.then(() => {
        database.close();
      });
      return closed;
    },
  };
}
