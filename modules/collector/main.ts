import { runModule } from "../run-module.ts";

// Polls the machines and appends to the log that the other modules read.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml", TAILSTOCK_LOG_LEVEL = "info" } = process.env;
await runModule({ part: "collector", configPath: TAILSTOCK_CONFIG, logLevel: TAILSTOCK_LOG_LEVEL });
