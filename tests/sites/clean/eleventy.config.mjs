// Clean URLs: about.html is written and /about is linked, as Eleventy's documentation has it.
export default function (config) {
  config.addGlobalData("layout", "page.njk");
  config.addGlobalData("permalink", () => (data) => `${data.page.filePathStem}.${data.page.outputFileExtension}`);
  config.addUrlTransform(({ url }) => (url.endsWith(".html") ? url.slice(0, -".html".length) : url));
  config.addPassthroughCopy({ static: "/" });
  return { dir: { input: "content", output: "built" } };
}
