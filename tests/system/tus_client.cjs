// Send a file by tus-js-client: node tus_client.cjs FILE OPTIONS, the options as JSON.
//
// Prints a line of JSON for each thing that happens: {"url"} once the upload has one, {"accepted"}
// after each chunk, at last {"done"} or {"error"}. The option `abortAfter` terminates the upload
// once that many bytes are accepted.
const fs = require("node:fs");
const { PassThrough } = require("node:stream");
const tus = require("tus-js-client");

const [file, options] = process.argv.slice(2);
const { abortAfter, ...given } = JSON.parse(options);
const say = (fact) => console.log(JSON.stringify(fact));
const fail = (error) => {
  say({ error: String(error) });
  process.exitCode = 1;
};

// With a deferred length the client announces whole chunks of a file, beyond its end, and of a
// stream it misses the end if that is the end of a chunk.
const source = fs.createReadStream(file);
const input = given.uploadLengthDeferred ? source.pipe(new PassThrough()) : source;

const upload = new tus.Upload(input, {
  ...given,
  onUploadUrlAvailable: () => say({ url: upload.url }),
  onChunkComplete: (_size, accepted) => {
    say({ accepted });
    if (accepted >= abortAfter) {
      upload.abort(true).then(() => say({ done: "terminated" }), fail);
    }
  },
  onSuccess: () => say({ done: upload.url }),
  onError: fail,
});
upload.start();
