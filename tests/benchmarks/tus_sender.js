// A sender by tus-js-client: node tus_sender.js ENDPOINT PARALLEL LIST, where LIST is a file with
// the path of one file a line. Says "ready", waits for a line, sends, says "done".

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const tus = require("tus-js-client");

const [endpoint, parallel, list] = process.argv.slice(2);
const paths = fs.readFileSync(list, "utf8").split("\n").filter(Boolean);

function send(file) {
  return new Promise((resolve, reject) => {
    new tus.Upload(fs.createReadStream(file), {
      endpoint,
      retryDelays: null,
      uploadSize: fs.statSync(file).size,
      metadata: { filename: path.basename(file) },
      onError: reject,
      onSuccess: resolve,
    }).start();
  });
}

async function worker() {
  while (paths.length > 0) await send(paths.shift());
}

console.log("ready");
readline.createInterface({ input: process.stdin }).once("line", async () => {
  try {
    await Promise.all(Array.from({ length: Number(parallel) }, worker));
    console.log("done");
    process.exit(0);
  } catch (error) {
    console.error(String(error));
    process.exit(1);
  }
});
