// Tells what was searched for, and how much was found.
import { byId } from "./dom.js";
import { report } from "./report.js";

const { search, results } = byId("catalogue").dataset;
if (search) report("searched", { query: search, results: Number(results) });
