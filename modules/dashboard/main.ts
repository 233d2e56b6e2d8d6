import { runModule } from "../run-module.ts";

// Shows what the collector's log holds; it may start before there is one.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml", TAILSTOCK_LOG_LEVEL = "info" } = process.env;
await runModule({ part: "dashboard", configPath: TAILSTOCK_CONFIG, logLevel: TAILSTOCK_LOG_LEVEL });
