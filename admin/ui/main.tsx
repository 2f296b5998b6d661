/** Begins the pages: where the browser starts. */
import { render } from "preact";
import { followLinks } from "./router.ts";
import { Shell } from "./shell.tsx";
import { initTheme } from "./theme.ts";
import "uplot/dist/uPlot.min.css";
import "./style.css";

initTheme();
followLinks();
const root = document.getElementById("app");
if (root !== null) render(<Shell />, root);
