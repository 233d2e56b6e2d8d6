import "./language-guard.ts";

import { render } from "preact";
import { App } from "./app.tsx";
import { Store } from "./store.ts";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/floor.css";
import "./styles/machine.css";
import "./styles/connections.css";
import "./styles/uplink.css";

const store = new Store();
store.start();
const root = document.getElementById("app");
if (root) render(<App store={store} />, root);
