import { runtimeState } from "../../edge/cli/runtime-state.ts";
import { loadConfig } from "../../edge/kernel/config/load.ts";
import { openLogReader } from "../../edge/log/reader.ts";

// The container's health check: healthy while the log grows. A machine that is switched off is no fault of the collector,
// whose connections write their counters at least every half minute whatever the machines do.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml" } = process.env;
const { config } = await loadConfig(TAILSTOCK_CONFIG);
const log = openLogReader(config.log.path);
const { state, detail } = await runtimeState(log, Date.now());
log.close();
process.stdout.write(`${detail}\n`);
process.exit(state === "running" ? 0 : 1);
