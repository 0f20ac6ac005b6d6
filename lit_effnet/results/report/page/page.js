"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip");
  const language = document.getElementById("language");
  const titles = { en: "Results", zh: "结果" };

  // Some browsers keep nothing for pages of the file system.
  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* goes on without */ } };

  function speak(to) {
    root.dataset.language = to;
    root.lang = to === "zh" ? "zh-Hans" : "en";
    document.title = titles[to];
    language.textContent = to === "zh" ? "English" : "中文";
    language.lang = to === "zh" ? "en" : "zh-Hans";
    for (const mark of document.querySelectorAll(".mark[tabindex]")) {
      mark.setAttribute("aria-label", mark.dataset[to] ?? mark.dataset.en);
    }
    hide();
  }

  function show(mark, x, y) {
    tip.textContent = mark.dataset[root.dataset.language] ?? mark.dataset.en;
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 12, room)) + scrollX}px`;
    const above = y - tip.offsetHeight - 12;
    tip.style.top = `${(above < 4 ? y + 16 : above) + scrollY}px`;
  }
  function hide() { tip.hidden = true; }

  function reveal(id) {
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView({ block: "center" });
  }

  // The pointer finds the nearest mark, so that small ones need not be hit.
  const REACH = 14;
  const middle = (mark) => {
    const box = mark.getBoundingClientRect();
    return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  };
  const go = (mark) => { if (mark && mark.dataset.run) { location.hash = mark.dataset.run; reveal(mark.dataset.run); } };
  for (const chart of document.querySelectorAll("svg.chart")) {
    const marks = [...chart.querySelectorAll(".mark[tabindex]")];
    let near = null;
    const choose = (mark) => {
      if (near) near.classList.remove("near");
      near = mark;
      chart.style.cursor = mark && mark.dataset.run ? "pointer" : "";
      if (!mark) return hide();
      mark.classList.add("near");
      show(mark, ...middle(mark));
    };
    chart.addEventListener("pointermove", (event) => {
      let nearest = null;
      let least = REACH;
      for (const mark of marks) {
        if (mark.classList.contains("off")) continue;
        const [x, y] = middle(mark);
        const distance = Math.hypot(x - event.clientX, y - event.clientY);
        if (distance < least) [nearest, least] = [mark, distance];
      }
      if (nearest !== near) choose(nearest);
    });
    chart.addEventListener("pointerleave", () => choose(null));
    chart.addEventListener("click", () => go(near));
    for (const mark of marks) {
      mark.addEventListener("focus", () => choose(mark));
      mark.addEventListener("blur", () => choose(null));
      mark.addEventListener("keydown", (event) => { if (event.key === "Enter") go(mark); if (event.key === "Escape") hide(); });
    }
  }

  for (const key of document.querySelectorAll(".key")) {
    key.addEventListener("click", () => {
      const off = key.getAttribute("aria-pressed") === "true";
      key.setAttribute("aria-pressed", String(!off));
      for (const mark of key.closest("section").querySelectorAll(".mark")) {
        if (mark.dataset.arm === key.dataset.arm) mark.classList.toggle("off", off);
      }
    });
  }

  function sort(heading) {
    const table = heading.closest("table");
    const column = [...heading.parentElement.children].indexOf(heading);
    // A number's first order is the greatest first, a text's its alphabet.
    const first = heading.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    for (const one of heading.parentElement.children) one.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const numeric = heading.classList.contains("number");
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.children[column].dataset.key;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
    });
    table.tBodies[0].append(...rows);
  }
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  language.addEventListener("click", () => {
    speak(root.dataset.language === "zh" ? "en" : "zh");
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("lit_effnet-theme", root.dataset.theme);
  });

  addEventListener("hashchange", () => reveal(location.hash.slice(1)));
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });

  const theme = remembered("lit_effnet-theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  speak(root.dataset.language);
  reveal(location.hash.slice(1));
})();
