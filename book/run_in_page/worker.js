/* The worker of a page: it loads Python when the page asks for the first cell, and runs cells.

   Messages to the worker: {target, sources, figures, done}. Messages from it: {says} on the way,
   {running, of}, {ran, outputs, error} for each cell, {end} when all have run. */
import { loadPyodide } from "./pyodide.mjs";

const here = new URL(".", import.meta.url);
const direct = self.fetch.bind(self);
const say = (text) => postMessage({ says: text });
let cache;
let loaded = 0;
let total = 0;

/* A file of the runtime: from the browser's cache, if a page has loaded it before. */
async function file(url, options) {
  const kept = await cache?.match(url);
  if (kept) return kept;
  const response = await direct(url, options);
  if (!response.ok) throw Error(`${url.split("/").pop()}: ${response.status}`);
  const parts = [];
  for (let reader = response.body.getReader(), part; !(part = await reader.read()).done; ) {
    parts.push(part.value);
    loaded += part.value.length;
    if (total) say(`Downloading: ${(loaded / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
  }
  const type = url.endsWith(".json") ? "application/json" : "application/octet-stream";
  const whole = new Response(new Blob(parts, { type }));
  await cache?.put(url, whole.clone()).catch(() => {}); // a full disk is no error
  return whole;
}

/* Pyodide asks for its files by fetch. The interpreter is there compressed, for servers that do not
   compress by themselves. */
self.fetch = async (request, options) => {
  const url = new URL(request.url ?? request, here).href;
  if (!url.startsWith(here.href)) return direct(request, options);
  if (!url.endsWith(".wasm")) return file(url, options);
  const zipped = await file(`${url}.gzip`);
  const plain = zipped.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain, { headers: { "content-type": "application/wasm" } });
};

/* Of earlier editions nothing is kept. */
async function open(version, book) {
  try {
    for (const name of await caches.keys())
      if (name.startsWith("stable-softmax ") && !name.endsWith(version)) await caches.delete(name);
    cache = await caches.open(`stable-softmax ${version}`);
    for (const { url } of await cache.keys())
      if (/book-\w+\.zip$/.test(url) && !url.endsWith(book)) await cache.delete(url);
  } catch {
    // without https there is no such cache, and the browser's own has to do
  }
}

async function start() {
  say("Starting");
  const { version, book, size } = await (await direct(new URL("run.json", here), { cache: "no-cache" })).json();
  await open(version, book);
  total = size;
  const python = await loadPyodide({ indexURL: here.href, env: { MPLBACKEND: "agg" } });
  await python.loadPackage("numpy", { messageCallback: () => {} });
  const zip = await file(new URL(book, here).href);
  say("Starting Python");
  python.unpackArchive(await zip.arrayBuffer(), "zip", { extractDir: "/lib/python3.12/site-packages" });
  const kernel = python.pyimport("kernel");
  kernel.start();
  total = 0;
  return { python, kernel, runnable: python.pyimport("runnable") };
}

async function loadMatplotlib({ python, kernel }) {
  if (loadMatplotlib.done) return;
  say("Downloading Matplotlib");
  await python.loadPackage("matplotlib", { messageCallback: () => {} });
  kernel.matplotlib_is_loaded();
  loadMatplotlib.done = true;
}

let session;

async function run({ target, sources, figures, done }) {
  session ??= await start();
  const { python, kernel, runnable } = session;
  const order = runnable.needed(python.toPy(sources), target, python.toPy(done)).toJs();
  for (const [position, cell] of order.entries()) {
    postMessage({ running: cell, position, of: order.length });
    if (figures[cell]) await loadMatplotlib(session);
    const once = () => JSON.parse(kernel.run(sources[cell], `cell ${cell + 1}`));
    let result = once();
    if (result.wants) {
      await loadMatplotlib(session);
      result = once();
    }
    postMessage({ ran: cell, ...result });
    if (result.error) return;
  }
}

onmessage = async ({ data }) => {
  try {
    await run(data);
    postMessage({ end: true });
  } catch (error) {
    const [told] = error.message.match(/^\w+Error: .*/gm)?.slice(-1) ?? [error.message];
    postMessage({ failed: told });
  }
};
