// A real browser, steered line by line: each line of standard input is a command as JSON, and gets one line as its answer.
// The Chromium comes within its npm package and is unpacked into TMPDIR; the fonts are the package's, on every machine.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "browser.cjs"));
const { default: chromium } = require("@sparticuz/chromium");
const { default: puppeteer } = require("puppeteer-core");

const executablePath = process.env.CHROMIUM || (await chromium.executablePath());
const fonts = join(tmpdir(), "fonts.conf");
writeFileSync(fonts, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>${join(tmpdir(), "fonts")}</dir><cachedir>${join(tmpdir(), "fonts-cache")}</cachedir></fontconfig>`);
const browser = await puppeteer.launch({
  executablePath,
  headless: "shell",
  args: ["--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server"],
  env: { ...process.env, FONTCONFIG_FILE: fonts, TZ: "UTC" },
  userDataDir: join(tmpdir(), "profile"),
});
let page, errors;

// Finds a visible element, by its text and within the part of the page that has another text, and does something with it.
// A page that refreshes itself may replace the element meanwhile: then it is found anew.
async function acted(selector, text, near, act) {
  const until = Date.now() + 10000;
  for (;;) {
    const handle = await page.evaluateHandle(
      (selector, text, near) => {
        const parts = near ? [...document.querySelectorAll("article, .ma-row, dialog[open]")] : [document];
        const within = parts.filter((part) => !near || part.innerText.includes(near));
        const found = within.flatMap((part) => [...part.querySelectorAll(selector)]);
        return found.find((element) => element.checkVisibility() && (!text || element.textContent.trim() === text));
      },
      selector, text, near,
    );
    const element = handle.asElement();
    try {
      if (!element) throw new Error(`nothing visible is ${selector} ${text ?? ""} ${near ?? ""}`);
      await element.evaluate((shown) => shown.scrollIntoView({ block: "center" }));
      return await act(element);
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

const commands = {
  async open({ url, width, height, scale, dark, zone }) {
    await page?.close();
    page = await browser.newPage();
    errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("dialog", (dialog) => (errors.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    if (zone) await page.emulateTimezone(zone);
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    await page.goto(url);
  },
  async wait({ script, seconds }) {
    await page.waitForFunction(script, { timeout: seconds * 1000, polling: 50 });
  },
  async evaluate({ script }) {
    return page.evaluate(script);
  },
  async press({ selector, text, near }) {
    await acted(selector, text, near, (element) => element.click());
  },
  async type({ selector, text, near }) {
    await acted(selector, undefined, near, async (element) => {
      await element.click({ clickCount: 3 });
      await element.type(text);
    });
  },
  async key({ name }) {
    await page.keyboard.press(name);
  },
  async picture({ path, whole, quality }) {
    await page.screenshot({ path, fullPage: whole, type: path.endsWith("webp") ? "webp" : "png", quality });
  },
  async errors() {
    return errors;
  },
};

console.log(JSON.stringify({ version: await browser.version() }));
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await commands[command](options)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
