// Runs an exported script: node run.js SCRIPT ITERATIONS VUS, the settings being in the environment.
// Each VU has the script to itself, as in k6.  Prints what was sent before and in the load, and the options.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import exec from "k6/execution";
import { close, tally } from "k6/http";

globalThis.__ENV = process.env;
globalThis.open = (file) => readFileSync(file, "utf8");

const [script, iterations, vus] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const load = (vu) => import(`${pathToFileURL(script)}?vu=${vu}`);
try {
  const first = await load(0);
  const data = JSON.parse(JSON.stringify(first.setup()));
  const before = JSON.parse(JSON.stringify(tally));
  for (const name of Object.keys(tally)) delete tally[name];
  const callers = [];
  for (let vu = 1; vu <= vus; vu++) callers.push(await load(vu));
  for (const scenario of Object.keys(first.options.scenarios)) {
    exec.scenario.name = scenario;
    for (let n = 0; n < iterations; n++) {
      exec.scenario.iterationInTest = n;
      exec.vu.idInTest = 1 + (n % vus);
      callers[n % vus].default(data);
    }
  }
  console.log(JSON.stringify({ before, load: tally, options: first.options }));
} finally {
  await close();
}
