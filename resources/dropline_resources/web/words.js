// What the page says, in English and in Chinese, and numbers as people write them.

const WORDS = {
  en: {
    skip: "Skip to the stored files",
    connecting: "Connecting…",
    live: "Live",
    offline: "Connection lost, trying again…",
    send: "Send files",
    hint: "Drop files or folders anywhere on this page.",
    chooseFiles: "Choose files",
    chooseFolder: "Choose a folder",
    pause: "Pause",
    resume: "Resume",
    cancel: "Cancel",
    cancelOf: "Cancel {name}",
    retry: "Try again",
    retryOf: "Try {name} again",
    waiting: "waiting",
    paused: "paused",
    again: "choose or drop this file again to go on at {percent}",
    failed: "Not sent: {reason}",
    unreachable: "the receiver could not be reached",
    total: "{done} of {count} · {sent} of {size}",
    others: "and {count} more",
    figures: "The line",
    handle: "Handling",
    receive: "Receiving",
    sendStation: "Sending",
    lambda: "λ, files arriving a second",
    mu: "μ, files a second per worker",
    l: "L, files in the line",
    tau: "τ, mean time in it",
    last: "{figure}: {value} now, {low} to {high} in the last minutes",
    letters: "Dead letters",
    lettersAre: "What handlers could not do with these files, and do not try again by themselves.",
    replay: "Try all again",
    replayed: "They are tried again",
    stored: "Stored files",
    search: "Search in names",
    name: "Name",
    size: "Size",
    storedAt: "Stored",
    actions: "Actions",
    none: "Nothing yet.",
    noneFound: "No name has that in it.",
    more: "Show more",
    delete: "Delete",
    deleteOf: "Delete {name}",
    deleteQuestion: "Delete {name}? It cannot be brought back.",
    keep: "Keep it",
    isStored: "{name} is stored",
    areStored: "{count} files are stored",
    isDeleted: "{name} is deleted",
    isFolder: "empty folder",
    terminal: "From a terminal:",
    trouble: "The receiver did not answer. {reason}",
  },
  zh: {
    skip: "跳到已存储的文件",
    connecting: "正在连接…",
    live: "实时",
    offline: "连接已断开，正在重试…",
    send: "发送文件",
    hint: "将文件或文件夹拖放到本页任意位置。",
    chooseFiles: "选择文件",
    chooseFolder: "选择文件夹",
    pause: "暂停",
    resume: "继续",
    cancel: "取消",
    cancelOf: "取消 {name}",
    retry: "重试",
    retryOf: "重试 {name}",
    waiting: "等待中",
    paused: "已暂停",
    again: "请再次选择或拖入此文件，将从 {percent} 处继续",
    failed: "未发送：{reason}",
    unreachable: "无法连接接收端",
    total: "{done} / {count} 个 · {sent} / {size}",
    others: "另有 {count} 个",
    figures: "流水线",
    handle: "处理",
    receive: "接收",
    sendStation: "发送",
    lambda: "λ，每秒到达文件数",
    mu: "μ，每个工作者每秒文件数",
    l: "L，线上文件数",
    tau: "τ，平均停留时间",
    last: "{figure}：当前 {value}，近几分钟 {low} 到 {high}",
    letters: "死信",
    lettersAre: "处理程序未能完成、且不会自动重试的文件。",
    replay: "全部重试",
    replayed: "正在重试",
    stored: "已存储的文件",
    search: "按名称搜索",
    name: "名称",
    size: "大小",
    storedAt: "存储时间",
    actions: "操作",
    none: "还没有文件。",
    noneFound: "没有名称匹配的文件。",
    more: "显示更多",
    delete: "删除",
    deleteOf: "删除 {name}",
    deleteQuestion: "要删除 {name} 吗？删除后无法恢复。",
    keep: "保留",
    isStored: "{name} 已存储",
    areStored: "已存储 {count} 个文件",
    isDeleted: "{name} 已删除",
    isFolder: "空文件夹",
    terminal: "在终端中：",
    trouble: "接收端没有响应。{reason}",
  },
};

// What the receiver answers in English, by its kind (the last word of the problem's `type`).
const PROBLEMS = {
  "malformed": "接收端无法理解此请求。请重新加载本页后重试。",
  "no-file": "请求中没有文件。请重新选择。",
  "cut-short": "传输提前中断。请重试。",
  "unauthorised": "需要访问令牌。请使用带令牌的地址打开本页。",
  "forbidden": "请求来自其他网站，已被拒绝。",
  "not-found": "已不存在。",
  "method-not-allowed": "接收端不支持此操作。",
  "too-slow": "传输太慢。请检查网络后重试。",
  "offset-differs": "接收端已有的部分与本页所知不同。请重试。",
  "expired": "未完成的上传已过期。请重新发送。",
  "version": "接收端的 tus 版本不同。请重新加载本页。",
  "too-large": "超过接收端允许的大小。请拆分后发送，或请其管理员提高上限。",
  "media-type": "接收端不接受此类型的内容。",
  "digest-mismatch": "收到的内容与声明的不一致。请重试；若再次出现，请检查网络。",
  "key-reused": "同一标识已用于其他内容。请重新选择文件。",
  "locked": "另一个请求正在传输此文件。请稍后重试。",
  "too-many": "请求太多。请稍后重试。",
  "checksum-mismatch": "收到的内容校验不符。请重试；若再次出现，请检查网络。",
  "internal": "接收端出错。请重试；若再次出现，请告知其管理员。",
  "busy": "接收端正忙。请稍后重试。",
  "disk-full": "接收端磁盘已满。请其管理员清理空间后重试。",
  "not-writable": "接收端无法写入。请其管理员检查存储目录。",
};

let language = localStorage.getItem("dropline-language")
  ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

/** The sentence of that key, with `{name}` replaced by what stands under `name`. */
export function say(key, values = {}) {
  return WORDS[language][key].replace(/{(\w+)}/g, (_, name) => values[name]);
}

/** What is wrong, in a sentence, given the receiver's answer (RFC 9457); none is no answer. */
export function why(problem) {
  if (!problem) return say("unreachable");
  const kind = problem.type?.split(":").at(-1);
  return (language === "zh" && PROBLEMS[kind]) || problem.detail;
}

/** Put the page's words into its elements, and again whenever the language changes. */
export function speak(changed) {
  const button = document.getElementById("language");
  const apply = () => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const element of document.querySelectorAll("[data-text]")) {
      element.textContent = say(element.dataset.text);
    }
    button.textContent = language === "zh" ? "English" : "中文";
    button.lang = language === "zh" ? "en" : "zh-CN";
  };
  button.addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    localStorage.setItem("dropline-language", language);
    apply();
    changed();
  });
  apply();
}

/** Show other words in an element of the page, also after the language changed. */
export function put(element, key) {
  if (element.dataset.text === key) return;
  element.dataset.text = key;
  element.textContent = say(key);
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log10(count) / 3));
  return `${number(count / 1000 ** power, power === 0 ? 0 : 1)} ${units[power]}`;
}

export function number(value, digits = 2) {
  return formatter(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

/** A measured figure, with three digits that mean something. */
export function figure(value) {
  return number(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

export function percent(share) {
  return formatter(Intl.NumberFormat, { style: "percent" }).format(share);
}

export function when(iso) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  return formatter(Intl.DateTimeFormat, style).format(new Date(iso));
}

/** Formatters are dear to make and cheap to use. */
const formatters = new Map();

function formatter(Kind, options) {
  const key = `${language} ${Kind.name} ${Object.values(options)}`;
  if (!formatters.has(key)) {
    formatters.set(key, new Kind(language === "zh" ? "zh-CN" : "en", options));
  }
  return formatters.get(key);
}
