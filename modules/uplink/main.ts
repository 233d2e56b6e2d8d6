import { runModule } from "../run-module.ts";

// Forwards the collector's log to the hub. The variables of the IoT Edge runtime say who it is there.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml", TAILSTOCK_LOG_LEVEL = "info", ...environment } = process.env;
await runModule({ part: "uplink", configPath: TAILSTOCK_CONFIG, logLevel: TAILSTOCK_LOG_LEVEL, environment });
