import type { ThemeConfig } from 'antd';
import { theme } from 'antd';

const FONT =
  "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', " +
  "'Noto Sans CJK SC', 'Source Han Sans SC', sans-serif";

/** Calm and light, for lists and forms. */
export const lightTheme: ThemeConfig = {
  token: {
    colorPrimary: '#0b7285',
    colorInfo: '#1d6fd0',
    colorLink: '#0b7285',
    colorText: '#17242c',
    colorTextSecondary: '#4d5f6a',
    colorTextTertiary: '#647681',
    colorTextPlaceholder: '#5f717c',
    colorBorder: '#cfd9df',
    colorBorderSecondary: '#e4eaee',
    borderRadius: 7,
    fontFamily: FONT,
    controlHeight: 34,
  },
  components: {
    Table: {
      headerBg: '#f7f9fb',
      headerColor: '#4d5f6a',
      headerSplitColor: 'transparent',
      rowHoverBg: '#f1f8f9',
      cellPaddingBlockSM: 7,
      cellPaddingInlineSM: 10,
      borderColor: '#edf1f4',
      bodySortBg: 'transparent',
      headerSortActiveBg: '#f7f9fb',
      headerSortHoverBg: '#eef4f6',
    },
    Form: { itemMarginBottom: 18, verticalLabelPadding: '0 0 6px' },
    Segmented: { trackBg: '#e6edf0', itemSelectedColor: '#095c6b' },
  },
};

/** Dark, so that the eye stays adapted to the image. */
export const darkTheme: ThemeConfig = {
  algorithm: theme.darkAlgorithm,
  token: {
    ...lightTheme.token,
    colorPrimary: '#35b3c2',
    colorInfo: '#35b3c2',
    colorLink: '#58d3e0',
    colorText: '#e6edf1',
    colorTextSecondary: '#a9b8c1',
    colorTextTertiary: '#93a4ae',
    colorTextPlaceholder: '#93a4ae',
    colorBorder: '#303d46',
    colorBorderSecondary: '#263139',
    colorBgBase: '#0c1114',
    colorBgContainer: '#10161a',
    colorBgElevated: '#1a2329',
    colorBgSpotlight: '#2a363f',
  },
  components: {
    Segmented: { trackBg: '#070a0c', itemSelectedBg: '#22303a', itemSelectedColor: '#e6edf1' },
  },
};
