# ruff: noqa: RUF001 # Chinese punctuation is meant
"""Words of the report in both languages, and numbers as it prints them."""

import re

from lit_effnet.results.report.language import Text

# Words of arms' names; flags and names of networks stay as commands take them.
OF_ARMS = {
    "baseline": "基线",
    "depth": "深度",
    "width": "宽度",
    "resolution": "分辨率",
    "compound": "复合缩放",
    "round": "四舍五入",
}

WORDS = {
    # Answers.
    "colon": Text(": ", "："),
    "semicolon": Text("; ", "；"),
    "comma": Text(", ", "、"),
    "at_cost": Text("At {cost}", "{cost}运算量下"),
    "of_factor": Text("{value} against {other}", "{value} 对比 {other}"),
    "within_value": Text("Within {value}, against {arm}", "在 {value} 内，对比 {arm}"),
    "beats": Text(
        "{a} beats {b} by {gap} points ({low} to {high}; {over}, {p}).",
        "{a} 优于 {b} {gap} 个百分点（{low} 至 {high}；{over}，{p}）。",
    ),
    "not_shown": Text(
        "no difference shown between {a} and {b}: {gap} points ({low} to {high}; {over}, {p})",
        "{a} 与 {b} 之间未显示差异：{gap} 个百分点（{low} 至 {high}；{over}，{p}）",
    ),
    "needed": Text(
        "; {n} paired repeats in all would show a gap of that size with 80 % probability.",
        "；共 {n} 次配对重复有 80 % 的概率显示这么大的差距。",
    ),
    "end": Text(".", "。"),
    "needed_many": Text(
        "; a gap that small is within what seeds do.", "；这样小的差距在随机种子的波动之内。"
    ),
    "p_alone": Text("p = {p}", "p = {p}"),
    "p_corrected": Text(
        "p = {p} corrected for {count} comparisons", "按 {count} 个比较校正后 p = {p}"
    ),
    "paired": Text("{n} paired repeats", "{n} 次配对重复"),
    "independent": Text("Welch's test of {n} independent repeats", "{n} 次独立重复的 Welch 检验"),
    "partly_shared": Text(
        "Welch's test of {n} repeats, since only {shared} of the seeds are shared",
        "{n} 次重复的 Welch 检验，因为只有 {shared} 个共同种子",
    ),
    "none_shown": Text(
        "no difference shown in any of {count} comparisons.", "{count} 个比较均未显示差异。"
    ),
    "largest": Text("The largest: ", "其中最大的："),
    "some_shown": Text(
        "{count} of {total} comparisons show a difference.",
        "{total} 个比较中有 {count} 个显示差异。",
    ),
    "cannot": Text("{a} and {b} cannot be compared.", "{a} 与 {b} 无法比较。"),
    "too_few": Text(
        "No answer can be given: {n} shared repeat(s), and a test needs {fewest}. "
        "Run the same arms with more seeds (`sweep --repeats`).",
        "尚不能给出答案：共有 {n} 次共同重复，而检验至少需要 {fewest} 次。"
        "请用更多随机种子（`sweep --repeats`）运行同样的实验臂。",
    ),
    "equal": Text(
        "No answer can be given: the differences do not vary, so there is no spread to test with.",
        "尚不能给出答案：差异没有变化，没有可供检验的离散度。",
    ),
    "no_repeats": Text(
        "No answer can be given: no run has finished with this accuracy.",
        "尚不能给出答案：还没有带有该精度的已完成运行。",
    ),
    "one_arm": Text(
        "No answer can be given: there is one arm, {arm}, and nothing to compare it with.",
        "尚不能给出答案：只有一个实验臂 {arm}，没有可比较的对象。",
    ),
    "highest": Text(
        "Highest mean so far, which is no result: {arm}, {value}.",
        "目前最高的均值（不构成结论）：{arm}，{value}。",
    ),
    "unlike": Text("These runs cannot be compared: {reason}.", "这些运行无法比较：{reason}。"),
    "no_rates": Text(
        "No rate can be chosen for each arm: {reason}.", "无法为每个实验臂选出学习率：{reason}。"
    ),
    "best_rates": Text(
        "The best of {count} rates, by equal trials ({n} at each rate), is {told}.",
        "在 {count} 个学习率中按同等次数试验（每个学习率 {n} 次），最佳者为{told}。",
    ),
    "diverged": Text("diverged", "发散"),
    "rate_for": Text("{rate} ({arms})", "{rate}（{arms}）"),
    "at_highest": Text(
        "{rate}, the highest that was tried, is best for {count} of {total} arms: a higher one may "
        "be better.",
        "{total} 个实验臂中有 {count} 个的最佳值 {rate} 是试过的最高值：更高者可能更好。",
    ),
    "at_lowest": Text(
        "{rate}, the lowest that was tried, is best for {count} of {total} arms: a lower one may "
        "be better.",
        "{total} 个实验臂中有 {count} 个的最佳值 {rate} 是试过的最低值：更低者可能更好。",
    ),
    "order": Text(
        "The order of the arms at their own rates and at {rate}, the best for all together, agrees "
        "by Kendall's tau of {tau}; 1 is the same order.",
        "各用最佳学习率时与统一用 {rate}（总体最佳）时，实验臂排序的 Kendall tau 为 {tau}；"
        "1 表示顺序相同。",
    ),
    "no_noise": Text(
        "No evaluations under noise yet; this is on clean images:",
        "尚无噪声下的评估；以下为干净图像上的结果：",
    ),
    "noisy": Text(
        "Compared is the mean accuracy over the levels of Gaussian noise.",
        "比较的是各高斯噪声水平上的平均准确率。",
    ),
    "front": Text(
        "Their costs differ. No other arm is better at no more {cost} than: {arms}.",
        "它们的代价不同。在不超过同等{cost}的条件下没有更优者的是：{arms}。",
    ),
    # Costs and values.
    "cost_macs": Text("multiply-adds", "乘加运算量"),
    "cost_parameters": Text("parameters", "参数量"),
    "cost_activations": Text("activations", "激活量"),
    "cost_latency_ms": Text("latency", "延迟"),
    "cost_duration_s": Text("training time", "训练时间"),
    "axis_macs": Text("multiply-adds of one image", "单张图像的乘加运算量"),
    "axis_parameters": Text("parameters", "参数量"),
    "axis_latency_ms": Text("latency of one image (ms)", "单张图像的延迟（毫秒）"),
    "axis_duration_s": Text("training time (s)", "训练时间（秒）"),
    "top1": Text("top-1 accuracy (%)", "Top-1 准确率（%）"),
    "top5": Text("top-5 accuracy (%)", "Top-5 准确率（%）"),
    "top1_macro": Text("class-mean top-1 accuracy (%)", "类别平均 Top-1 准确率（%）"),
    "epoch": Text("epoch", "训练轮次"),
    "learning_rate": Text("learning rate for 256 images", "学习率（每 256 张图像）"),
    "best_rate": Text("best", "最佳"),
    "sigma": Text("standard deviation of the noise", "噪声标准差"),
    # Figures.
    "figure_arms": Text("Arms", "各实验臂"),
    "figure_cost": Text("Accuracy against {cost}", "准确率与{cost}"),
    "figure_epochs": Text("Training", "训练过程"),
    "figure_rates": Text("Learning rates", "学习率"),
    "about_rates": Text(
        "Each arm at each rate. Rest on a line for its name.",
        "各实验臂在各学习率下的结果。停在线上可见其名称。",
    ),
    "figure_noise": Text("Under Gaussian noise", "高斯噪声下"),
    "about_arms": Text(
        "Each dot is a run, each diamond a mean, each bar its {confidence:g} % interval over seeds "
        "(three repeats and more).",
        "每个圆点是一次运行，菱形为均值，横条为均值对随机种子的 {confidence:g} % 区间"
        "（至少三次重复）。",
    ),
    "about_cost": Text(
        "Means of the arms, bars as in the first figure, cut off where the plot ends. The thin "
        "line joins arms that no other one beats at no higher cost; grey arms are beaten.",
        "各实验臂的均值；竖条为区间，超出图框处截断。细折线连接在不更高代价下没有更优者的实验臂；"
        "灰色为被超过者。",
    ),
    "about_epochs": Text(
        "Validation after each epoch; a line is an arm's mean. Rest on a line for its name.",
        "每个轮次后的验证结果；每条线是一个实验臂的均值。停在线上可见其名称。",
    ),
    "about_noise": Text(
        "Means of the arms at each level; 0 is clean. Rest on a line for its name.",
        "各噪声水平下各实验臂的均值；0 为干净图像。停在线上可见其名称。",
    ),
    # Tables and their headings.
    "table_arms": Text("Arms and what they cost", "实验臂及其代价"),
    "table_comparisons": Text("Comparisons", "比较"),
    "table_rates": Text("Arms by learning rate", "各学习率下的实验臂"),
    "note_rates": Text("{value} of each arm at each rate.", "各实验臂在各学习率下的{value}。"),
    "table_conditions": Text("Under other conditions", "其他条件下"),
    "table_runs": Text("Runs", "运行"),
    "arm": Text("arm", "实验臂"),
    "reference": Text("against", "对比"),
    "family": Text("where", "范围"),
    "n": Text("n", "n"),
    "mean": Text("mean, %", "均值 (%)"),
    "sd": Text("sd", "标准差"),
    "low": Text("low", "下限"),
    "high": Text("high", "上限"),
    "parameters": Text("parameters, M", "参数量 (M)"),
    "macs": Text("MACs, M", "乘加量 (M)"),
    "latency_ms": Text("latency, ms", "延迟 (ms)"),
    "duration_s": Text("training, s", "训练 (s)"),
    "difference": Text("difference, points", "差异（百分点）"),
    "test_used": Text("test", "检验"),
    "p": Text("p", "p"),
    "p_holm": Text("p (Holm)", "p（Holm）"),
    "verdict": Text("verdict", "结论"),
    "better": Text("better", "更好"),
    "worse": Text("worse", "更差"),
    "none": Text("not shown", "未显示"),
    "untested": Text("not tested", "未检验"),
    "condition": Text("condition", "条件"),
    "run": Text("run", "运行"),
    "seed": Text("seed", "种子"),
    "status": Text("status", "状态"),
    "reason": Text("reason", "原因"),
    "value": Text("value, %", "数值 (%)"),
    "commit": Text("commit", "提交"),
    "device": Text("device", "设备"),
    "command": Text("command to repeat", "重复命令"),
    "note_arms": Text(
        "{value}. low..high: Student's {confidence:g} % interval of the mean over seeds; it says "
        "nothing of other images.",
        "{value}。下限至上限：均值对随机种子的 {confidence:g} % Student 区间；不涉及其他图像。",
    ),
    "note_comparisons": Text(
        "Paired t test over shared seeds, Welch's test of all repeats where fewer than three are "
        "shared. low..high: {confidence:g} % interval of this "
        "comparison alone. p (Holm) is corrected for all {count} of this table; a verdict needs "
        "it below 0.05.",
        "在共同种子上作配对 t 检验；共同种子少于三个时，对全部重复作 Welch 检验。"
        "下限至上限：该比较自身的 {confidence:g} % 区间。"
        "p（Holm）已按本表全部 {count} 个比较校正；低于 0.05 才下结论。",
    ),
    "note_conditions": Text(
        "Means of {value} over the finished repeats.", "已完成重复的均值：{value}。"
    ),
    # The page.
    "title": Text("Results", "结果"),
    "question": Text("Question", "问题"),
    "answer": Text("Answer", "答案"),
    "contents": Text("Sweeps", "实验组"),
    "runs_behind": Text("{count} runs behind it", "背后的 {count} 次运行"),
    "epochs": Text("{count} epochs", "{count} 轮"),
    "epoch_one": Text("{count} epoch", "{count} 轮"),
    "images_seen": Text("{count:,} images seen in training", "训练中见过 {count:,} 张图像"),
    "validation": Text("validation", "验证集"),
    "test": Text("test", "测试集"),
    "finished": Text("{count} of {total} runs finished", "{total} 次运行中已完成 {count} 次"),
    "trials_finished": Text(
        "{count} of {total} trials finished", "{total} 次试验中已完成 {count} 次"
    ),
    "trials_unfinished": Text("{count} not finished", "{count} 次未完成"),
    "trials_missing": Text("{count} without a run", "{count} 次尚无运行"),
    "devices": Text(
        "The runs are from {count} devices ({devices}); compare no training times.",
        "这些运行来自 {count} 种设备（{devices}）；训练时间不可比较。",
    ),
    "unfinished": Text("Not finished", "未完成"),
    "missing": Text(
        "{count} of the {total} trials of {file} have no run here yet.",
        "{file} 的 {total} 个试验中有 {count} 个在此尚无运行。",
    ),
    "show": Text("Show them", "展开"),
    "repeated": Text(
        "{count} finished runs repeat another one's arm and seed; the later one counts.",
        "有 {count} 次已完成的运行与另一次的实验臂和种子相同；以较晚者为准。",
    ),
    "broken": Text(
        "Folders or lines that cannot be read: {count}", "无法读取的文件夹或行：{count}"
    ),
    "no_font": Text(
        "No font with Chinese characters was found on the machine that made this page, so the "
        "figure files in figures/ are in English alone. Install one, fonts-noto-cjk for example.",
        "制作本页的机器上没有中文字体，figures/ 中的图像文件仅有英文版。"
        "请安装中文字体，例如 fonts-noto-cjk。",
    ),
    "document": Text("The design document's tables", "设计文档中的表格"),
    "made": Text("Made {when} from {paths}", "{when} 由 {paths} 生成"),
    "files": Text("Files", "文件"),
    "theme": Text("Light or dark", "明暗切换"),
    "sort_hint": Text("A heading sorts its table.", "点击表头可排序。"),
    "no_script": Text(
        "Without JavaScript tables do not sort.", "未启用 JavaScript 时表格不可排序。"
    ),
}


def arm_text(arm: str) -> Text:
    """An arm's name in both languages."""
    words = re.sub(r"[a-z]+(?!\w|=)", lambda found: OF_ARMS.get(found[0], found[0]), arm)
    words = re.sub(r" at ([\d.]+) x (MACs|parameters|activations)", r"（\1 倍 \2）", words)
    return Text(arm, words)


def number(of: float) -> str:
    """An accuracy, a fraction, as the report prints it."""
    return f"{100 * of:.1f} %"


def cost_text(cost: str, of: float) -> Text:
    """A cost with its unit."""
    if cost == "latency_ms":
        return Text(f"{of:.2f} ms", f"{of:.2f} 毫秒")
    if cost == "duration_s":
        return Text(f"{of:,.0f} s", f"{of:,.0f} 秒")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if of >= size:
            shown = f"{of / size:.3g} {letter}"
            break
    else:
        shown = f"{of:.0f}"
    short = {"macs": Text("MACs", "乘加"), "parameters": Text("parameters", "参数")}
    return Text(f"{shown} ", f"{shown} ") + short.get(cost, WORDS[f"cost_{cost}"])
