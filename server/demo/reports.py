"""What the radiologists of the demo wrote: findings and impression of each examination.

Design A1: invented texts in the manner of Chinese imaging reports; they match the phantoms.
Called by `studies` (SR, encapsulated PDF) and `documents` (PDF, text, CDA).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Report:
    """A diagnostic report."""

    title: str
    findings: str
    impression: str


REPORTS: Final = {
    "ct-chest": Report(
        title="胸部CT增强检查报告",
        findings="胸廓对称，气管居中。右肺上叶见一类圆形结节，大小约18mm×17mm，边缘见短毛刺，"
        "平扫密度均匀，增强扫描呈轻中度强化。余肺纹理清晰，未见实变。肺门及纵隔内未见明显肿大"
        "淋巴结。心脏大小正常，主动脉管壁光滑。双侧胸腔未见积液。所见肋骨及胸椎骨质完整。",
        impression="1. 右肺上叶结节（Lung-RADS 4B），建议PET/CT或穿刺活检进一步检查。\n"
        "2. 心脏及大血管未见明显异常。",
    ),
    "ct-prior": Report(
        title="胸部CT平扫检查报告",
        findings="双肺野清晰，肺纹理走行自然，未见明确结节或实变影。气管支气管通畅。"
        "纵隔居中，未见肿大淋巴结。胸腔未见积液。",
        impression="胸部CT未见明显异常，建议年度复查。",
    ),
    "dx-chest": Report(
        title="胸部正位X线检查报告",
        findings="胸廓对称，双肺纹理清晰，右肺上野可见一小结节样密度增高影。心影大小形态正常，"
        "双侧膈面光滑，肋膈角锐利。",
        impression="右肺上野结节影，建议胸部CT检查。",
    ),
    "pt-chest": Report(
        title="PET/CT检查报告",
        findings="右肺上叶结节FDG摄取明显增高，SUVmax约9.5；纵隔隆突旁见一小结节状高摄取灶，"
        "SUVmax约6.0。心肌、肝脏、脾脏生理性摄取。余未见异常高代谢灶。",
        impression="1. 右肺上叶高代谢结节，考虑恶性可能大。\n2. 纵隔小淋巴结高代谢，转移待排。",
    ),
    "ecg": Report(
        title="十二导联心电图报告",
        findings="窦性心律，心率72次/分，PR间期160ms，QRS时限90ms，QTc 410ms，电轴不偏。",
        impression="窦性心律，正常心电图。",
    ),
    "mg": Report(
        title="双侧乳腺X线检查报告",
        findings="双侧乳腺呈不均匀致密型（c类）。左乳外上象限见簇状细小多形性钙化，范围约10mm，"
        "局部密度稍增高。右乳未见明确肿块及可疑钙化。双侧腋下未见肿大淋巴结。",
        impression="左乳外上象限簇状钙化（BI-RADS 4B），建议活检。右乳BI-RADS 2。",
    ),
    "us-heart": Report(
        title="心脏彩色超声报告",
        findings="各房室腔内径正常，室间隔与左室后壁厚度正常，运动协调。各瓣膜形态、启闭正常。"
        "彩色多普勒：舒张期二尖瓣口血流充盈良好，收缩期二尖瓣口左房侧见少量反流信号。",
        impression="二尖瓣轻度反流。左心室收缩功能正常（LVEF 64%）。",
    ),
    "us-abdomen": Report(
        title="腹部超声检查报告",
        findings="肝脏大小形态正常，包膜光滑，实质回声均匀，肝内管道走行清晰。胆囊大小正常，"
        "壁光滑，腔内未见结石。右肾大小形态正常，集合系统无分离。",
        impression="肝、胆、右肾未见明显异常。",
    ),
    "xa": Report(
        title="冠状动脉造影报告",
        findings="左主干未见狭窄。前降支中段局限性狭窄约60%，远端血流TIMI 3级。回旋支未见"
        "明显狭窄。",
        impression="冠心病，前降支中段中度狭窄。建议药物治疗并复查。",
    ),
    "mr-brain": Report(
        title="头颅MRI检查报告",
        findings="右侧侧脑室旁见一类圆形长T1长T2信号灶，直径约14mm，边界清。脑室系统不大，"
        "中线结构居中。双侧大脑半球灰白质分界清楚。小脑及脑干未见异常信号。",
        impression="右侧侧脑室旁异常信号灶，建议增强扫描。",
    ),
    "op": Report(
        title="眼底照相报告",
        findings="双眼视盘边界清，色正常，C/D约0.4。黄斑区中心凹反光可见。视网膜血管走行正常。",
        impression="双眼眼底未见明显异常。",
    ),
    "nm": Report(
        title="全身骨显像报告",
        findings="全身骨骼显影清晰。右侧第5前肋及腰椎见局灶性放射性浓聚。双肾及膀胱显影。",
        impression="右侧第5肋、腰椎骨代谢活跃灶，建议结合CT除外转移。",
    ),
    "es": Report(
        title="电子胃镜检查报告",
        findings="食管黏膜光滑。胃窦见一半球形息肉样隆起，直径约0.6cm，表面光滑。余胃黏膜"
        "轻度充血。十二指肠球部未见异常。",
        impression="1. 胃窦息肉（已取活检）。\n2. 慢性非萎缩性胃炎。",
    ),
    "sm": Report(
        title="病理检查报告",
        findings="镜下见腺体排列规则，间质少量慢性炎细胞浸润，未见异型增生。",
        impression="（胃窦）增生性息肉。",
    ),
    "cr-hand": Report(
        title="左手正位X线检查报告",
        findings="左手各骨骨质结构完整，骨小梁清晰，未见骨折线。腕骨排列正常，软组织无肿胀。",
        impression="左手诸骨未见骨折。",
    ),
    "dx-child": Report(
        title="胸部正位X线检查报告（儿童）",
        findings="双肺纹理增多，未见实变影。心影不大，膈面光滑。",
        impression="支气管炎改变，请结合临床。",
    ),
    "rt": Report(
        title="放射治疗计划记录",
        findings="靶区勾画完成，计划剂量分布见剂量图。",
        impression="计划已由放疗医师审核。",
    ),
    "vip": Report(
        title="健康体检胸部X线报告",
        findings="胸廓对称，双肺清晰，心影正常。",
        impression="胸部正位未见明显异常。",
    ),
}
