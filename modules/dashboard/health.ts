import { loadConfig } from "../../edge/kernel/config/load.ts";

// The container's health check: healthy while the dashboard answers on the address of its configuration.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml" } = process.env;
const { config } = await loadConfig(TAILSTOCK_CONFIG);
const { host, port } = config.dashboard;
const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/api/health`;
const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
process.stdout.write(`${url} answers with HTTP ${response.status}\n`);
process.exit(response.ok ? 0 : 1);
