// What was dropped or chosen, as files with their paths; a folder without files is one, too.

/** The media type of what stands for an empty folder; its path ends in "/". */
export const FOLDER = "application/x-directory";

/** Walk what a drop carries: batches of {path, file}. The entries must be taken within the event. */
export function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  return walk(entries);
}

/** What an <input type=file> holds. */
export function chosen(input) {
  return [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function* walk(entries) {
  const folders = [];
  const files = [];
  for (const entry of entries) (entry.isDirectory ? folders : files).push(entry);
  if (files.length) yield await Promise.all(files.map(found));
  for (const folder of folders) {
    const path = folder.fullPath.slice(1);
    let isEmpty = true;
    for await (const inside of contents(folder)) {
      isEmpty = false;
      yield* walk(inside);
    }
    if (isEmpty) yield [{ path: `${path}/`, file: new File([], folder.name, { type: FOLDER }) }];
  }
}

async function found(entry) {
  const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
  return { path: entry.fullPath.slice(1), file };
}

/** A folder's entries; browsers hand out 100 at a time. */
async function* contents(folder) {
  const reader = folder.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    yield some;
  }
}
