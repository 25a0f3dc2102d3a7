// Streamlit's own words in Chinese, where no option of a widget sets them: in names for screen readers, tool tips
// and the few texts that it writes itself.
"use strict";
(function () {
  const WORDS = {
    "Accounting": "会计",
    "App pages": "页面",
    "Automatic": "自动",
    "Autosize": "自动列宽",
    "Average": "平均值",
    "Average length": "平均长度",
    "Based on sample": "按抽样统计",
    "Browse files": "选择文件",
    "Calendar": "日历",
    "Choose a date": "选择日期",
    "Choose an option": "请选择",
    "Choose date": "选择日期",
    "Choose date range": "选择起止日期",
    "Choose options": "请选择",
    "Clear all": "全部清除",
    "Clear value": "清除",
    "Close": "关闭",
    "Close fullscreen": "退出全屏",
    "Compact": "缩写",
    "CONNECTING": "正在连接",
    "Connecting": "正在连接",
    "Connection error": "连接中断",
    "Copied": "已复制",
    "Copy column name": "复制列名",
    "Copy to clipboard": "复制",
    "Count": "计数",
    "Dataframe column menu": "列菜单",
    "Decrement": "减少",
    "Distance": "距今多久",
    "Distinct": "不同值",
    "Distribution histogram": "分布直方图",
    "Dollar": "美元",
    "Download": "下载",
    "Drag and drop file here": "将文件拖到此处",
    "Drag and drop files here": "将文件拖到此处",
    "empty": "空",
    "Error": "错误",
    "Euro": "欧元",
    "file upload": "选择文件",
    "Format": "格式",
    "Fullscreen": "全屏",
    "Hide column": "隐藏列",
    "Hide password": "隐藏密码",
    "Hide password text": "隐藏密码",
    "Incompatible value": "值不符合该列的类型",
    "Increment": "增加",
    "Is the server still running?": "服务器可能已停止,正在重试。",
    "Loading...": "正在加载…",
    "Localized": "本地格式",
    "Maximum": "最大值",
    "Maximum length": "最大长度",
    "Median": "中位数",
    "Minimum": "最小值",
    "Minimum length": "最小长度",
    "Navigate to home page": "首页",
    "Next page": "下一页",
    "No data": "没有数据",
    "No options": "没有可选项",
    "No options to select": "没有可选项",
    "No results": "没有匹配项",
    "Open": "展开",
    "Page not found": "没有这个页面",
    "Percent": "百分比",
    "Pin column": "固定列",
    "Plain": "原样",
    "Previous page": "上一页",
    "Remove file": "移除文件",
    "Rerun": "重新运行",
    "Retry": "重试",
    "Running...": "正在处理",
    "Scientific": "科学计数",
    "Scroll tabs left": "向左",
    "Scroll tabs right": "向右",
    "Search": "搜索",
    "Select all": "全选",
    "Selected values": "已选",
    "Show password": "显示密码",
    "Show password text": "显示密码",
    "Skip to main content": "跳到正文",
    "Sort ascending": "升序",
    "Sort descending": "降序",
    "Standard deviation": "标准差",
    "Statistics": "统计",
    "Stop": "停止",
    "Streamlit server is not responding. Are you connected to the internet?": "服务器没有响应,正在重试。",
    "Sum": "合计",
    "The page that you have requested does not seem to exist. Running the app's main page.": "没有这个页面,已转到首页。",
    "Top values frequency chart": "最常见的值",
    "Try again": "重试",
    "Type to search": "输入以搜索",
    "Unpin column": "取消固定",
    "Upload": "上传",
    "Add files": "添加文件",
    "Yen": "日元",
  };
  const PATTERNS = [
    [/^Page (\d+)$/, "第 $1 页"],
    [/^(\d+) more$/, "更多($1)"],
    [/^Remove (.+)$/, "移除 $1"],
    [/^Clear (.+)$/, "清除 $1"],
    [/^Limit (\S+) per file(?: • (.+))?$/, (_, size, kinds) => `每个文件不超过 ${size}${kinds ? `,格式 ${kinds}` : ""}`],
    [/^(\S+) per file(?: • (.+))?$/, (_, size, kinds) => `每个文件不超过 ${size}${kinds ? `,格式 ${kinds}` : ""}`],
    [/^You can only select up to (\d+) options?\..*$/, "最多可选 $1 项"],
    [/^(.+) file must be (\S+) or smaller\.$/, "文件 $1 不能超过 $2"],
    [/^File must be (\S+) or smaller\.$/, "文件不能超过 $1"],
    [/^(.+) files are not allowed\.$/, "不支持 $1 格式的文件"],
    [/^(?:Error: )?Number is outside the allowed range\. Please enter a value between (.+) and (.+)\.$/, "应在 $1 至 $2 之间"],
    [/^(?:Error: )?Number is below the allowed range\.(?: Please enter a value greater than or equal to (.+)\.)?$/, (_, least) => (least ? `不能小于 ${least}` : "数值过小")],
    [/^(?:Error: )?Number is above the allowed range\.(?: Please enter a value less than or equal to (.+)\.)?$/, (_, most) => (most ? `不能大于 ${most}` : "数值过大")],
    [/^(?:Error: )?Date(?: and time)? set outside allowed range\. Please select a date(?: and time)? between (.+) and (.+)\.$/, "应在 $1 至 $2 之间"],
    [/^(?:Error: )?Date(?: and time)? set outside allowed range\. Please select a date(?: and time)? on or (before|after) (.+)\.$/, (_, side, day) => `应在 ${day} ${side === "before" ? "之前" : "之后"}(含当日)`],
  ];
  const ATTRIBUTES = ["aria-label", "title", "placeholder", "alt"];

  function chinese(text) {
    const words = text.trim();
    if (!/^[A-Za-z(\d]/.test(words) || words.length > 160) return null;
    if (Object.hasOwn(WORDS, words)) return WORDS[words];
    for (const [pattern, replacement] of PATTERNS) if (pattern.test(words)) return words.replace(pattern, replacement);
    return null;
  }

  function onElement(element) {
    for (const name of ATTRIBUTES) {
      const text = element.getAttribute(name);
      const words = text && chinese(text);
      if (words && words !== text) element.setAttribute(name, words);
    }
  }

  // What people wrote stays as they wrote it: only texts in Streamlit's own parts are looked at.
  const OWN = "[id$=validation-error], button, label, small, [data-testid^=stFileUploader], [data-testid=stStatusWidget], [role=listbox], [role=dialog], [data-testid^=stDataFrameColumn], [data-testid=stTooltipContent], [role=tooltip]";
  const THEIRS = "[data-testid=stMarkdownContainer], .gm-bar, .stHtml, code, pre, textarea";

  // Streamlit's words on the button of a file field are Markdown as ours are.
  // So are those of the menu's overflow.
  const isOwn = (element) => element.closest("[data-testid=stFileUploaderDropzone], .rc-overflow-item-rest, [data-testid=stTooltipErrorContent]") || (element.closest(OWN) && !element.closest(THEIRS));

  function onText(node) {
    const parent = node.parentElement;
    // "Error" in bold comes before, with the colon here
    const [, colon, rest] = /^(:\s*)?([^]*)$/.exec(node.data);
    const words = parent && chinese(rest);
    if (words && isOwn(parent)) node.data = (colon ? ":" : "") + words;
  }

  function onTree(root) {
    if (root.nodeType === Node.TEXT_NODE) return onText(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    onElement(root);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) walker.currentNode.nodeType === Node.TEXT_NODE ? onText(walker.currentNode) : onElement(walker.currentNode);
  }

  new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === "attributes") onElement(record.target);
      else if (record.type === "characterData") onText(record.target);
      else for (const node of record.addedNodes) onTree(node);
    }
  }).observe(document.documentElement, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ATTRIBUTES,
  });
})();
