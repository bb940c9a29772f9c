// Everything pages share. Without it all pages still work; it only makes them quicker to use.
import { enableMenus, enableDrawer } from "./menu.js";
import { enableCopying } from "./copy.js";
import { enableThemeChoice } from "./theme.js";
import { enableDialogs } from "./dialog.js";
import { enableForms } from "./forms.js";
import { enableLiveParts } from "./live.js";
import { enableNotices } from "./notices.js";
import { enableSecrets } from "./secret.js";

enableMenus();
enableDrawer();
enableCopying();
enableThemeChoice();
enableDialogs();
enableForms();
enableLiveParts();
enableNotices();
enableSecrets();
