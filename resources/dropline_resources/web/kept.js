// Uploads that are not done, kept by the browser so that a reload does not end them.
//
// The file itself is kept along up to MOST bytes; of a longer one the user is asked to choose it
// again. Where the browser keeps nothing (private windows), uploads live as long as the page.

const MOST = 512 * 1024 * 1024;

const opened = new Promise((resolve) => {
  const request = indexedDB.open("dropline", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("uploads", { keyPath: "id" });
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => resolve(null);
});

/** Keep uploads: {id, path, size, modified, type, url, sent, file}. */
export async function keep(uploads) {
  await change((store) => {
    for (const { id, path, size, modified, type, url, sent, file } of uploads) {
      const kept = { id, path, size, modified, type, url, sent };
      store.put(size <= MOST ? { ...kept, file } : kept);
    }
  });
}

/** Note where an upload goes and how far it is. */
export async function note({ id, url, sent }) {
  await change((store) => {
    const request = store.get(id);
    request.onsuccess = () => request.result && store.put({ ...request.result, url, sent });
  });
}

export async function forget(id) {
  await change((store) => store.delete(id));
}

/** What an earlier page left. */
export async function left() {
  let request;
  await change((store) => { request = store.getAll(); });
  return request?.result ?? [];
}

async function change(act) {
  const database = await opened;
  if (database === null) return;
  await new Promise((resolve) => {
    const transaction = database.transaction("uploads", "readwrite");
    transaction.oncomplete = transaction.onabort = transaction.onerror = resolve;
    act(transaction.objectStore("uploads"));
  });
}
