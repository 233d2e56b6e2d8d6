import "../../../../edge/dashboard/web/src/language-guard.ts";

import { render } from "preact";
import { App } from "./app.tsx";
import "uplot/dist/uPlot.min.css";
import "../../../../edge/dashboard/web/src/styles/base.css";
import "../../../../edge/dashboard/web/src/styles/machine.css";
import "./styles/shell.css";
import "./styles/tables.css";
import "./styles/overview.css";
import "./styles/charts.css";
import "./styles/forms.css";
import "./styles/print.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
