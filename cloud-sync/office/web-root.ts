import { fileURLToPath } from "node:url";

/** Where the page's build puts it. */
export const OFFICE_WEB_ROOT = fileURLToPath(new URL("web/dist", import.meta.url));
